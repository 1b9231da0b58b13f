# SPDX-License-Identifier: BSD-2-Clause
# The language, the warnings and the sanitizers, the same for every target.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(DEEPPROXY_WERROR "Treat warnings as errors, as ./dev test does" OFF)
set(DEEPPROXY_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread or fuzzer-no-link,address,undefined")
# UBSan stops the program at the fault by an instruction that AddressSanitizer reports with its place (handle_sigill=1). Its
# library would tell the values as well, and has six megabytes that LeakSanitizer searches at each process' end.
option(DEEPPROXY_SANITIZE_TRAP "Have UBSan stop the program without its library" OFF)
option(DEEPPROXY_FUZZ "Build the fuzz targets (clang only)" OFF)
option(DEEPPROXY_COVERAGE "Build with coverage counters" OFF)

add_library(deepproxy_options INTERFACE)
target_compile_definitions(deepproxy_options INTERFACE _GNU_SOURCE)
target_include_directories(deepproxy_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(deepproxy_options INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -fstack-protector-strong -fno-common)
target_link_options(deepproxy_options INTERFACE -Wl,-z,relro,-z,now)
if(DEEPPROXY_WERROR)
    target_compile_options(deepproxy_options INTERFACE -Werror)
endif()
if(DEEPPROXY_SANITIZE)
    target_compile_options(deepproxy_options INTERFACE -fsanitize=${DEEPPROXY_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(deepproxy_options INTERFACE -fsanitize=${DEEPPROXY_SANITIZE})
    if(DEEPPROXY_SANITIZE_TRAP)
        target_compile_options(deepproxy_options INTERFACE -fsanitize-undefined-trap-on-error)
        target_link_options(deepproxy_options INTERFACE -fsanitize-undefined-trap-on-error)
    endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(deepproxy_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(DEEPPROXY_COVERAGE)
    target_compile_options(deepproxy_options INTERFACE --coverage -O0)
    target_link_options(deepproxy_options INTERFACE --coverage)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
