/** Pictures as `data:` URLs: beside the page's own files, these are the images that its policy shows. */

const EDGE = 480; // pixels of a thumbnail, for screens with two per CSS pixel

/** The whole picture. @param {Blob} blob @returns {Promise<string>} */
export function pictureUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** A small copy. @param {Blob} blob @returns {Promise<string>} rejected if no browser could show it */
export async function thumbnailUrl(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(EDGE / Math.max(bitmap.width, bitmap.height), 1);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(bitmap.width * scale), 1);
  canvas.height = Math.max(Math.round(bitmap.height * scale), 1);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/webp", 0.85);
}
