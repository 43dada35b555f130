#!/bin/bash
# curl: a network in NO_PROXY excepts IPv4 addresses from the proxy, and IPv6 addresses never.
#
# One expects: since 7.86.0 an entry of NO_PROXY may be a network, an address with the number of its bits behind a
# slash. curl(1) says so of "IP addresses", and that IPv6 ones are written without brackets. So with
# NO_PROXY=fd12::/16 http://[fd12::1]/ is asked without the proxy, as http://10.12.0.1/ is with 10.0.0.0/8.
#
# What happens: it is asked through the proxy. An IPv6 address is found in the list only if the same text is there.
# curl has a comparison of bits for IPv6, but takes it only for a host in brackets, and by then it has removed them.
#
# Who meets it: whoever runs a cluster or a company network with IPv6 behind a proxy, where the ranges of pods and
# services stand in NO_PROXY. Requests for neighbours go to the proxy, which refuses them or sees what it should not.
#
# Versions: Debian 12's curl 7.88.1. Upstream: curl/curl#19828, of December 2025.
#
# Needs apt-get, python3, ip and unshare. Everything happens in a network namespace that has only a loopback device.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# Debian keeps only the newest build of a release's curl, so it is asked for by name, and its version printed. The
# library's package has another name in later releases.
library=$(apt-cache depends curl | sed -n 's/.*Depends: \(libcurl4[a-z0-9]*\)$/\1/p')
apt-get -qq -o APT::Sandbox::User=root download curl "$library"
for package in *.deb; do dpkg-deb -x "$package" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$dir/root" -name 'libcurl.so.4')")
export LD_LIBRARY_PATH

cat > observe.py <<'PYTHON'
import http.server, os, socket, subprocess, sys, threading

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "10.12.0.1/32", "dev", "lo"], check=True)
subprocess.run(["ip", "address", "add", "fd12::1/128", "dev", "lo"], check=True)


def serve(family, address, port, text):
    """A server that answers everything with one text, so that curl's output says who was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = type("Server", (http.server.ThreadingHTTPServer,), {"address_family": family})
    threading.Thread(target=server((address, port), Handler).serve_forever, daemon=True).start()


serve(socket.AF_INET, "127.0.0.1", 3128, "proxy")
serve(socket.AF_INET, "10.12.0.1", 8080, "origin")
serve(socket.AF_INET6, "fd12::1", 8080, "origin")

changed = False
print(f"{'NO_PROXY':<12} {'URL':<24} {'expected':<9} seen")
for exceptions, url, expected, recorded in [
    ("", "http://[fd12::1]:8080/", "proxy", "proxy"),
    ("10.0.0.0/8", "http://10.12.0.1:8080/", "origin", "origin"),
    ("fd12::1", "http://[fd12::1]:8080/", "origin", "origin"),
    ("fd12::/16", "http://[fd12::1]:8080/", "origin", "proxy"),
    ("fd12::/64", "http://[fd12::1]:8080/", "origin", "proxy"),
    ("fd12::1/128", "http://[fd12::1]:8080/", "origin", "proxy"),
]:
    env = {"http_proxy": "http://127.0.0.1:3128", "NO_PROXY": exceptions}
    env["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    command = [sys.argv[1], "-q", "--silent", "--show-error", "--max-time", "10", url]
    seen = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, timeout=20).stdout or "nothing"
    mark = "" if seen == expected else "   <- not as expected"
    print(f"{exceptions or '(empty)':<12} {url:<24} {expected:<9} {seen}{mark}")
    changed |= seen != recorded
print("changed: not what was recorded" if changed else "as recorded")
sys.exit(changed)
PYTHON

root/usr/bin/curl --version | head -n 1
dpkg-deb -f curl_*.deb Package Version
timeout 120 unshare --map-root-user --net python3 observe.py "$dir/root/usr/bin/curl"
