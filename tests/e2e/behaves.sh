#!/bin/sh
# An origin that behaves as it is told: a CGI script of busybox's httpd, which answers at /cgi-bin/behaves/NAME with the
# file /srv/NAME, or with 404 where there is none. What /srv/NAME.how says comes first, one of:
#   status CODE       that status, and nothing else
#   length BYTES      so long it says it is, whatever comes
#   seconds NUMBER    it dribbles for so long
# Each answer with a body is a line in /srv/NAME.asked. Two versions of a file differ in their first 64 KiB.
set -eu

file=/srv$PATH_INFO
answer() {
    printf '%s\r\n' "HTTP/1.0 $1" "Content-Length: $2" "Content-Type: application/octet-stream" "Date: $(day "@$(date +%s)")"
    [ -z "${since-}" ] || printf '%s\r\n' "Last-Modified: $since"
    printf '\r\n'
}
day() { date -u -d "$1" '+%a, %d %b %Y %H:%M:%S GMT'; }

[ -e "$file" ] || {
    answer '404 Not Found' 0
    exit
}
[ ! -e "$file.how" ] || read -r how much < "$file.how"
if [ "${how-}" = status ]; then
    answer "$much" 0
    exit
fi
# A day long ago, which is another one for other bytes: httpd keeps If-None-Match for itself.
sum=$(head -c 65536 "$file" | md5sum | cut -c1-7)
since=$(day "@$((0x$sum))")
if [ "${HTTP_IF_MODIFIED_SINCE-}" = "$since" ]; then
    answer '304 Not Modified' 0
    exit
fi
echo "$SERVER_PROTOCOL" >> "$file.asked"
size=$(stat -c %s "$file")
[ "${how-}" != length ] || answer '200 OK' "$much"
[ "${how-}" = length ] || answer '200 OK' "$size"
if [ "${how-}" = seconds ]; then
    step=$((size / much + 1)) at=0
    while [ $((at * step)) -lt "$size" ]; do
        dd if="$file" bs="$step" skip="$at" count=1 2> /dev/null
        at=$((at + 1))
        sleep 1
    done
else
    cat "$file"
fi
