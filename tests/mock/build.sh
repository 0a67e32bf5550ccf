#!/bin/sh
# Compiles a library of this folder: build.sh driver.c LIBRARY, or build.sh nvrtc.c LIBRARY.
folder=$(cd "$(dirname "$0")" && pwd)
exec cc -std=gnu11 -O1 -Wall -Wextra -Werror -shared -fPIC -DFOLDER="\"$folder\"" -o "$2" "$folder/$1" -ldl
