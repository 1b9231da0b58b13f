#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Checks that the folders include what they may, and no more:
#     proxy -> protocols, tls, config -> base        config -> protocols/protocol.h, protocols/limits.h,
#     protocols/deep/deep_status.h
#     keys -> base        proxy -> what the two say to each other: keys/keys_*.h
# that the rooms within a folder do so too (the tables `room` below, one line a room; "." is the folder itself),
#     OpenSSL's headers in tls/ and keys/ alone, libuv's and http-parser's in proxy/, libconfig's in config/; sockets,
#     clocks and threads in proxy/ and keys/
# and that a source includes its own header first, and each file names its licence on top.
#     check.sh FOLDER        prints file:line: what is wrong; exit 0 where nothing is
set -eu
cd "$1"
here=$(mktemp)
trap 'rm -f "$here"' EXIT

find . -type d \( -path ./.git -o -path './build*' \) -prune -o -type f \
    \( -name '*.[ch]' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' -o -name CMakeLists.txt \
    -o -path ./dev -o -path ./.ci/run \) -print |
    sed 's,^\./,,' | sort > "$here"

# shellcheck disable=SC2016 # the dollars are awk's
rules='
BEGIN {
    may["base"] = " base "
    may["protocols"] = " base protocols "
    may["tls"] = " base tls "
    may["config"] = " base config "
    may["proxy"] = " base protocols tls config proxy "
    may["keys"] = " base keys "
    room["proxy/common"] = ""
    room["proxy/keyclient"] = " common "
    room["proxy/parent"] = " keyclient common "
    room["proxy/backends"] = " common "
    room["proxy/checks"] = " backends keyclient common "
    room["proxy/names"] = ""
    room["proxy/runtime"] = " backends common "
    room["proxy/worker"] = " runtime backends keyclient common "
    room["proxy/session"] = " worker runtime backends keyclient common "
    room["proxy/admin"] = " worker runtime backends common "
    room["proxy/control"] = " checks parent session admin worker runtime backends names keyclient common "
    room["proxy/commands"] = " control parent admin runtime keyclient common "
    room["protocols/."] = " deep "
    room["protocols/deep"] = ""
    room["protocols/proxy_protocol"] = " . "
    room["protocols/imap"] = " . deep "
    room["protocols/pop3"] = " . deep "
    room["protocols/smtp"] = " . deep "
    room["tls/."] = ""
    room["tls/certificates"] = " . "
    room["tls/tickets"] = " . "
    room["tls/trust"] = " . "
    room["tls/endpoint"] = " . certificates tickets trust "
    for (one in room)
        has_rooms[substr(one, 1, index(one, "/"))] = 1
    owner["uv.h"] = "proxy"
    owner["libconfig.h"] = "config"
    owner["http_parser.h"] = "proxy"
    owner["jansson.h"] = "proxy"
    system_of_proxy = "^(sys/(socket|un|epoll|select|signalfd|time|timerfd|eventfd|uio)|netinet/.*|arpa/inet|netdb|net/if" \
        "|poll|pthread|threads|sched|signal|time)[.]h$"
    clock = "(^|[^A-Za-z0-9_.>])(time|clock|clock_gettime|gettimeofday|timespec_get|nanosleep|usleep|sleep)[(]"
}
function wrong(what) {
    printf "%s:%d: %s\n", file, line, what
    count++
}
function exists(path,   text, found) {
    found = (getline text < path) >= 0
    close(path)
    return found
}
function room_of(path,   parts) {
    return split(path, parts, "/") > 2 ? parts[2] : "."
}
# Does one of our rooms include another of the same folder, against the arrows?
function check_room(name,   from, to) {
    from = room_of(file)
    to = room_of(name)
    if (!((folder "/" from) in room)) {
        if ((folder "/") in has_rooms)
            wrong(folder "/" from " is no room: add it to the table of tests/layering/check.sh")
        return
    }
    if (from != to && index(room[folder "/" from], " " to " ") == 0)
        wrong(folder "/" from " must not include \"" name "\"")
}
# Does one of our folders include another, against the arrows?
function check_own(name,   target) {
    if (index(name, "/") == 0) {
        wrong("includes \"" name "\" without its folder")
        return
    }
    target = name
    sub("/.*", "", target)
    if (target == folder)
        check_room(name)
    if (folder == "config" && name ~ "^protocols/(protocol|limits|deep/deep_status)[.]h$")
        return
    if (folder == "proxy" && name ~ "^keys/keys_(wire|message|process)[.]h$")
        return
    if (index(may[folder], " " target " ") == 0)
        wrong(folder "/ must not include \"" name "\"")
}
function check_system(name) {
    if (name ~ "^openssl/" && folder != "tls" && folder != "keys")
        wrong("only tls/ and keys/ include <" name ">")
    if (name in owner && folder != owner[name])
        wrong("only " owner[name] "/ includes <" name ">")
    if (name ~ system_of_proxy && folder != "proxy" && folder != "keys" && file !~ "^(base/ip_literal|config/cfg(_endpoint|_admin)?)[.][ch]$")
        wrong("only proxy/ touches sockets, clocks and threads: <" name ">")
}
function check_first(name, own, plain) {
    own = file
    if (sub("[.]c$", ".h", own) == 0 || !exists(own))
        return
    plain = own
    sub(".*/", "", plain)
    if (name != own && !(!(folder in may) && name == plain))
        wrong("includes \"" name "\" before its own header")
}
# The line without comments and strings. Comments over several lines leave in_comment behind.
function code_of(text,   code, start) {
    code = ""
    while (text != "") {
        if (in_comment) {
            start = index(text, "*/")
            if (start == 0)
                return code
            in_comment = 0
            text = substr(text, start + 2)
        } else if (match(text, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
            code = code substr(text, 1, RSTART - 1)
            start = substr(text, RSTART, 2)
            text = substr(text, RSTART + RLENGTH)
            if (start == "//")
                return code
            in_comment = start == "/*"
        } else {
            return code text
        }
    }
    return code
}
function check_include(text,   name) {
    name = text
    sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name)
    sub(/[">].*/, "", name)
    if (includes++ == 0)
        check_first(name)
    if (!(folder in may))
        return
    if (text ~ "include[ \t]*\"")
        check_own(name)
    else
        check_system(name)
}
function check_file(   text, licensed) {
    folder = file
    sub("/.*", "", folder)
    line = includes = in_comment = licensed = 0
    while ((getline text < file) > 0) {
        line++
        if (line <= 2 && text ~ "SPDX-License-Identifier: BSD-2-Clause")
            licensed = 1
        if (file !~ "[.][ch]$")
            continue
        if (!in_comment && text ~ /^[ \t]*#[ \t]*include/)
            check_include(text)
        else if (code_of(text) ~ clock && folder in may && folder != "proxy" && folder != "keys")
            wrong("only proxy/ reads a clock")
    }
    close(file)
    line = 1
    if (!licensed)
        wrong("no SPDX-License-Identifier in the first two lines")
}
{
    file = $0
    check_file()
}
END {
    if (NR == 0) {
        print "no sources found"
        count++
    }
    exit (count > 0)
}'
awk "$rules" "$here"
