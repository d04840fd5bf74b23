#!/bin/sh
# Install Prometheus for the tests that let one watch the server, through apt where that is allowed. Without it those
# tests are skipped, and say so; in CI they fail. Debian's package also starts it as a service, which nobody needs here.
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 && exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Prometheus for the tests …"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        prometheus >/dev/null && exit 0
fi
echo "Missing for the tests of metrics: prometheus. On Debian: apt-get install prometheus" >&2
[ "$CI" = true ] && exit 1
exit 0
