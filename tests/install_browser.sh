#!/bin/sh
# Install Chromium's headless shell, Node.js and nginx for the page's tests, through apt where that is allowed.
# A Chromium with its window does as well, at twice the time. Without either those tests are skipped, and say so; in CI
# they fail.
has() { command -v "$1" >/dev/null 2>&1; }

missing=""
has chromium-headless-shell || missing="chromium-headless-shell"
has node || missing="$missing nodejs"
has nginx || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
[ -z "$missing" ] && exit 0

if has apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing $missing for the page's tests …"
    # shellcheck disable=SC2086  # a list of packages
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
has node && { has chromium || has chromium-browser || has google-chrome; } && exit 0
echo "Missing for the page's tests: $missing. On Debian: apt-get install $missing" >&2
[ "$CI" = true ] && exit 1
exit 0
