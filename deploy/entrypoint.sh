#!/bin/sh
# Bounds the heap of each loop by the memory that the container may use: V8 would else collect too late, and be killed.
# What is left is for buffers and code.
set -eu
limit=$(cat "${MEMORY_LIMIT_FILE:-/sys/fs/cgroup/memory.max}" 2>/dev/null || echo max)
if [ "$limit" != max ]; then
  NODE_OPTIONS="${NODE_OPTIONS:-} --max-old-space-size=$((limit / 1048576 * 60 / 100))"
  export NODE_OPTIONS
fi
exec node "$(dirname "$0")/../src/main.ts" "$@"
