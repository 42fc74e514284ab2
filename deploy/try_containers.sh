#!/usr/bin/env bash
# Builds the image, starts the monolith in one container and the three contexts in three, and checks that both give the
# same answers and are closed as they should be. Needs podman or docker; uses their compose tool where there is one.
# Everything made here is removed at the end. Exit status: 0 all is well, 1 something is not, 2 no container engine.
#
# LLAMA_MAPPER_IMAGE        try this image, which is already there, and build none
# LLAMA_MAPPER_BUILD_ARGS   more options for the build, separated by spaces: a proxy, a certificate authority, …
# LLAMA_MAPPER_TRY_WAIT     seconds that an installation may take to start (120)
set -euo pipefail
cd "$(dirname "$0")/.."

engine=
if command -v podman >/dev/null && podman info >/dev/null 2>&1; then
  engine=podman
elif command -v docker >/dev/null && docker info >/dev/null 2>&1; then
  engine=docker
else
  echo "no container engine answers: install podman, or install docker and start its daemon" >&2
  exit 2
fi
compose=()
if [ "$engine" = docker ] && docker compose version >/dev/null 2>&1; then
  compose=(docker compose)
elif [ "$engine" = podman ] && command -v podman-compose >/dev/null; then
  compose=(podman-compose)
fi
python=$(command -v python3.11 || command -v python3)

run="lm-try-$$"
wait_s=${LLAMA_MAPPER_TRY_WAIT:-120}
image=${LLAMA_MAPPER_IMAGE:-localhost/llama-mapper:$run}
log=$(mktemp)
# What compose and the plain containers share; by environment, so that no secret is an argument here.
export LLAMA_MAPPER_IMAGE="$image" LLAMA_MAPPER_LINK_SECRET LLAMA_MAPPER_PUBLISHED_PORT
LLAMA_MAPPER_LINK_SECRET=$("$python" -c 'import secrets; print(secrets.token_urlsafe(32))')
built=

say() { printf '%s\n' "$*"; }

fail() {
  say "FAILED: $*" >&2
  exit 1
}

bounded() { # SECONDS COMMAND…
  if command -v timeout >/dev/null; then timeout "$@"; else shift && "$@"; fi
}

quietly() { # COMMAND…, its chatter only where it fails
  "$@" >>"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "$*"; }
}

free_port() {
  "$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

composed() { # FILE_STEM ARGUMENTS…
  local stem=$1
  shift
  bounded 120 "${compose[@]}" -f "deploy/compose/$stem.yaml" -p "$run-$stem" "$@"
}

container() { # FILE_STEM SERVICE: the name of its container
  if [ ${#compose[@]} -eq 0 ]; then
    say "$run-$1-$2"
  else
    "$engine" ps -a --format '{{.Names}}' --filter "label=com.docker.compose.project=$run-$1" \
      --filter "label=com.docker.compose.service=$2"
  fi
}

plain() { # FILE_STEM SERVICE OPTIONS… -- ARGUMENTS…: a container as the compose files describe it
  local stem=$1 service=$2 options=()
  shift 2
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  "$engine" run --name "$run-$stem-$service" --network "$run-$stem" --read-only --tmpfs /tmp --cap-drop ALL \
    --security-opt no-new-privileges --volume "$run-$stem-$service:/data" "${options[@]}" "$image" "$@"
}

address() { # CONTAINER: on its network; asked for, since not every engine's network has names
  "$engine" inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
}

create_key() { # FILE_STEM SERVICE: a key in the volume that the service will start with
  local printed
  if [ ${#compose[@]} -eq 0 ]; then
    printed=$(plain "$1" "$2" --rm -- keys create --tenant acme 2>>"$log")
  else
    printed=$(composed "$1" run --rm --no-deps -T "$2" keys create --tenant acme 2>>"$log")
  fi
  printf '%s\n' "$printed" | grep -Eo 'lm_[0-9a-f]{16}_[A-Za-z0-9_-]{43}' || { tail -n 30 "$log" >&2; return 1; }
}

start_plain_split() {
  local service
  for service in analysis mapping; do
    quietly plain split "$service" -d --env LLAMA_MAPPER_LINK_SECRET -- serve --context "$service"
  done
  quietly plain split orchestration -d --publish "127.0.0.1:$LLAMA_MAPPER_PUBLISHED_PORT:8080" \
    --env LLAMA_MAPPER_LINK_SECRET \
    --env "LLAMA_MAPPER_ANALYSIS_URL=http://$(address "$run-split-analysis"):8080" \
    --env "LLAMA_MAPPER_MAPPING_URL=http://$(address "$run-split-mapping"):8080" -- serve --context orchestration
}

clean_up() {
  local status=$? stem name
  trap - EXIT INT TERM
  for stem in monolith split; do
    if [ "$status" -ne 0 ]; then
      for name in $("$engine" ps -a --format '{{.Names}}' | grep "^$run-$stem"); do
        say "--- last lines of $name" >&2
        "$engine" logs --tail 15 "$name" >&2 || true
      done
    fi
    if [ ${#compose[@]} -gt 0 ]; then
      composed "$stem" down --volumes --timeout 10 >/dev/null 2>&1 || true
    fi
    for name in $("$engine" ps -a --format '{{.Names}}' | grep "^$run-$stem"); do
      "$engine" rm -f "$name" >/dev/null 2>&1 || true
    done
    for name in $("$engine" volume ls --format '{{.Name}}' | grep "^$run-$stem"); do
      "$engine" volume rm -f "$name" >/dev/null 2>&1 || true
    done
    for name in $("$engine" network ls --format '{{.Name}}' | grep "^$run-$stem"); do
      "$engine" network rm "$name" >/dev/null 2>&1 || true
    done
  done
  if [ -n "$built" ]; then
    "$engine" rmi -f "$image" >/dev/null 2>&1 || true
  fi
  rm -f "$log"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

health() { # CONTAINER: whether its health check passes
  if [ "$engine" = podman ]; then
    # Asked for here: podman leaves the regular checks to systemd, which may not be there.
    podman healthcheck run "$1" >/dev/null 2>&1
  else
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]
  fi
}

wait_for_health() { # CONTAINER
  local until=$((SECONDS + wait_s))
  until health "$1"; do
    [ "$("$engine" inspect --format '{{.State.Running}}' "$1")" = true ] || fail "$1 has ended"
    [ "$SECONDS" -lt "$until" ] || fail "$1 is not healthy after $wait_s s"
    sleep 0.5
  done
}

check_closed() { # CONTAINER: what a break-in would find
  local uid
  uid=$("$engine" exec "$1" id -u)
  [ "$uid" = 10001 ] || fail "$1 runs as uid $uid"
  # Asked of the mount, for the user may write nowhere in it even where the mount allows it.
  "$engine" exec "$1" grep -Eq '^[^ ]+ / [^ ]+ ro[, ]' /proc/self/mounts || fail "the root file system of $1 is writable"
  "$engine" exec "$1" sh -c 'touch /data/probe /tmp/probe && rm /data/probe /tmp/probe' || fail "$1 cannot write to /data"
  [ "$("$engine" exec "$1" grep -Ec '^(Cap(Eff|Bnd):[[:space:]]*0+|NoNewPrivs:[[:space:]]*1)$' /proc/1/status)" = 3 ] ||
    fail "$1 has capabilities, or may gain privileges"
  say "$1: healthy, uid 10001, read-only root, no capabilities, no new privileges"
}

say "engine: $("$engine" --version); ${compose[*]:-plain runs, for there is no compose tool}"
if [ "$image" = "localhost/llama-mapper:$run" ]; then
  options=()
  # podman's own format has no health checks, and its layer cache would outlive this script.
  [ "$engine" = docker ] || options=(--format docker --layers=false)
  # shellcheck disable=SC2206 # words are what is wanted
  options+=(${LLAMA_MAPPER_BUILD_ARGS:-})
  built=yes
  seconds=$SECONDS
  quietly bounded 1200 "$engine" build ${options[@]+"${options[@]}"} -f deploy/Containerfile -t "$image" .
  say "built in $((SECONDS - seconds)) s"
fi
say "image: $image, $(($("$engine" image inspect --format '{{.Size}}' "$image") / 1000000)) MB"

if "$engine" run --rm --network none "$image" >>"$log" 2>&1; then
  fail "an installation without a key served the network"
fi
grep -q 'there is no API key' "$log" || { tail -n 5 "$log" >&2; fail "it did not say that there is no key"; }
say "without a key it refuses to listen for others"

if [ ${#compose[@]} -eq 0 ]; then
  quietly "$engine" network create "$run-monolith"
  quietly "$engine" network create "$run-split"
fi

export LLAMA_MAPPER_PUBLISHED_PORT MONOLITH_URL MONOLITH_KEY SPLIT_URL SPLIT_KEY WAIT_S=$wait_s
LLAMA_MAPPER_PUBLISHED_PORT=$(free_port)
MONOLITH_URL=http://127.0.0.1:$LLAMA_MAPPER_PUBLISHED_PORT
MONOLITH_KEY=$(create_key monolith llama-mapper) || fail "no key was made for the monolith"
seconds=$SECONDS
if [ ${#compose[@]} -eq 0 ]; then
  quietly plain monolith llama-mapper -d --publish "127.0.0.1:$LLAMA_MAPPER_PUBLISHED_PORT:8080" -- serve
else
  quietly composed monolith up -d
fi
monolith=$(container monolith llama-mapper)
wait_for_health "$monolith"
say "monolith healthy after $((SECONDS - seconds)) s"

LLAMA_MAPPER_PUBLISHED_PORT=$(free_port)
SPLIT_URL=http://127.0.0.1:$LLAMA_MAPPER_PUBLISHED_PORT
SPLIT_KEY=$(create_key split orchestration) || fail "no key was made for the three contexts"
seconds=$SECONDS
if [ ${#compose[@]} -eq 0 ]; then start_plain_split; else quietly composed split up -d; fi
front=$(container split orchestration)
behind=("$(container split analysis)" "$(container split mapping)")
for name in "${behind[@]}" "$front"; do
  wait_for_health "$name"
done
say "three contexts healthy after $((SECONDS - seconds)) s"

for name in "$monolith" "$front" "${behind[@]}"; do
  check_closed "$name"
done
for name in "${behind[@]}"; do
  [ -z "$("$engine" port "$name")" ] || fail "$name is published"
done

# From where an intruder would call: the front door's container, which has the addresses and the secret.
"$engine" exec -i "$front" python - <<'PYTHON' || fail "the links are open, or shut to those who know the secret"
import os, sys, urllib.error, urllib.request

ROUTES = {"ANALYSIS": "/v1/analyze", "MAPPING": "/v1/map"}
for service, route in ROUTES.items():
    url = os.environ[f"LLAMA_MAPPER_{service}_URL"].rstrip("/") + route
    for what, secret, expected in (
        ("no secret", None, {401}),
        ("a wrong secret", "wrong" * 8, {401}),
        ("the secret and an empty request", os.environ["LLAMA_MAPPER_LINK_SECRET"], {400, 422}),
    ):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {secret}"} if secret else {})
        try:
            status = urllib.request.urlopen(urllib.request.Request(url, b"{}", headers), timeout=10).status
        except urllib.error.HTTPError as error:
            status = error.code
        print(f"{service.lower()}: a call with {what} is answered {status}")
        if status not in expected:
            sys.exit(1)
PYTHON

bounded $((2 * wait_s + 120)) "$python" deploy/compare_installations.py || fail "the two installations differ"
"$engine" stats --no-stream --format '{{.Name}} {{.MemUsage}}' "$monolith" "$front" "${behind[@]}" 2>>"$log" |
  sed 's/^/memory: /' || true
seconds=$SECONDS
quietly "$engine" stop --time 15 "$monolith"
[ "$("$engine" inspect --format '{{.State.ExitCode}}' "$monolith")" = 0 ] || fail "the monolith did not end in order"
say "monolith stopped in order within $((SECONDS - seconds + 1)) s"
say "OK: the image builds, and one container and three give the same answers"
