#!/bin/sh
# Chromium for the page's tests: there already, or through apt where that is allowed.
# Without it those tests are skipped, and say so; in CI they fail.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the page's tests …"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null && exit 0
fi
echo "Chromium is missing: the tests of the page need it. Install it (Debian: apt-get install chromium)." >&2
[ "$CI" = true ] && exit 1
exit 0
