#!/bin/sh
# Install the programs that the tests use, through apt where that is allowed: Chromium's headless shell, Node.js, the
# proxies nginx and Caddy, and Prometheus. A Chromium with its window does as well, at twice the time. Where one of them
# is missing its tests are skipped, and say so; in CI they fail. Nobody needs the services that Debian's packages start.
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

missing=""
has chromium-headless-shell || missing="chromium-headless-shell"
has node || missing="$missing nodejs"
has nginx || missing="$missing nginx-light"
has caddy || missing="$missing caddy"
bare=""
{ has prometheus && has promtool; } || bare="prometheus"
[ -z "$missing$bare" ] && exit 0

if has apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing for the tests: $missing $bare …"
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    # shellcheck disable=SC2086  # a list of packages
    apt-get update -qq && apt-get install -y -qq $missing >/dev/null &&
        apt-get install -y -qq --no-install-recommends $bare >/dev/null && exit 0
fi
[ "$missing$bare" = chromium-headless-shell ] &&
    { has chromium || has chromium-browser || has google-chrome; } && exit 0
echo "Missing for the tests: $missing $bare. On Debian: apt-get install $missing $bare" >&2
[ "$CI" = true ] && exit 1
exit 0
