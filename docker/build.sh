#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# build.sh [OPTION...]: runs the unit tests in the image's test stage, then makes the image, as deepproxy:VERSION and
# deepproxy:latest. By the Docker Engine that `docker` talks to; the options go to `docker build`, as in
#   docker/build.sh --build-arg BASE=registry.example.com/debian:trixie-slim
# IMAGE=NAME gives it another name than deepproxy.
set -eu
cd "$(dirname "$0")/.."
image=${IMAGE-deepproxy}

die() { printf 'image: %s\n' "$*" >&2; exit 1; }

command -v docker >/dev/null ||
    die 'there is no docker command: install a Docker Engine (on Debian: apt install docker.io)'
refusal=$(docker version 2>&1 >/dev/null) ||
    die "no Docker Engine answers (is it started? may you use it?): $(printf '%s\n' "$refusal" | tail -n 1)"

version=$(sed -n 's/^project(deepproxy VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
docker build -f docker/Dockerfile --target test "$@" . ||
    die 'the build or its unit tests failed; where the base image was not to be had, name another: --build-arg BASE=IMAGE'
docker build -f docker/Dockerfile --target runtime --build-arg "VERSION=$version" \
    -t "$image:$version" -t "$image:latest" "$@" .
echo "image: $image:$version, also $image:latest; docker/README.md says how to run it"
