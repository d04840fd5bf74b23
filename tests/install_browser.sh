#!/bin/sh
# Install Chromium and Node.js for the page's tests, through apt where that is allowed.
# Without them those tests are skipped, and say so; in CI they fail.
missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 \
    || command -v google-chrome >/dev/null 2>&1 || missing="chromium"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing $missing for the page's tests …"
    # shellcheck disable=SC2086  # a list of packages
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null && exit 0
fi
echo "Missing for the page's tests: $missing. On Debian: apt-get install $missing" >&2
[ "$CI" = true ] && exit 1
exit 0
