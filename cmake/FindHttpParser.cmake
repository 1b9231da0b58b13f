# SPDX-License-Identifier: BSD-2-Clause
# Finds http-parser (Debian: libhttp-parser-dev), which brings no file for pkg-config. Makes HttpParser::http_parser.
find_path(HttpParser_INCLUDE_DIR http_parser.h)
find_library(HttpParser_LIBRARY http_parser)
mark_as_advanced(HttpParser_INCLUDE_DIR HttpParser_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(HttpParser REQUIRED_VARS HttpParser_LIBRARY HttpParser_INCLUDE_DIR
    REASON_FAILURE_MESSAGE "install libhttp-parser-dev")
if(HttpParser_FOUND AND NOT TARGET HttpParser::http_parser)
    add_library(HttpParser::http_parser UNKNOWN IMPORTED)
    set_target_properties(HttpParser::http_parser PROPERTIES
        IMPORTED_LOCATION ${HttpParser_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${HttpParser_INCLUDE_DIR})
endif()
