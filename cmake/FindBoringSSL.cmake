# SPDX-License-Identifier: BSD-2-Clause
# Finds BoringSSL: the build in BORINGSSL_ROOT where that is set (include/openssl/ssl.h, and lib/, build/ or ssl/ and
# crypto/ below it), else Debian's android-libboringssl-dev. OpenSSL's headers have the same names, so what is found
# is checked to be BoringSSL. Makes BoringSSL::ssl and BoringSSL::crypto.

set(BORINGSSL_ROOT "" CACHE PATH "Where a build of BoringSSL of your own is")
if(BORINGSSL_ROOT)
    set(_where HINTS ${BORINGSSL_ROOT} NO_DEFAULT_PATH)
    set(_include_suffixes include)
    set(_library_suffixes lib lib64 build build/ssl build/crypto ssl crypto)
else()
    # Nowhere else: the plain paths have OpenSSL, under the same names.
    set(_where HINTS /usr NO_DEFAULT_PATH)
    set(_include_suffixes include/android)
    set(_library_suffixes lib/${CMAKE_LIBRARY_ARCHITECTURE}/android lib/android)
endif()
find_path(BoringSSL_INCLUDE_DIR openssl/is_boringssl.h openssl/base.h ${_where} PATH_SUFFIXES ${_include_suffixes}
    NO_CMAKE_FIND_ROOT_PATH)
find_library(BoringSSL_SSL_LIBRARY ssl ${_where} PATH_SUFFIXES ${_library_suffixes})
find_library(BoringSSL_CRYPTO_LIBRARY crypto ${_where} PATH_SUFFIXES ${_library_suffixes})
mark_as_advanced(BoringSSL_INCLUDE_DIR BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY)

if(BoringSSL_INCLUDE_DIR)
    file(STRINGS ${BoringSSL_INCLUDE_DIR}/openssl/base.h _is_boringssl REGEX "define OPENSSL_IS_BORINGSSL")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BoringSSL
    REQUIRED_VARS BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY BoringSSL_INCLUDE_DIR _is_boringssl
    REASON_FAILURE_MESSAGE "install android-libboringssl-dev, or give a build of BoringSSL with -DBORINGSSL_ROOT=DIR")

if(BoringSSL_FOUND AND NOT TARGET BoringSSL::ssl)
    foreach(_part CRYPTO SSL)
        string(TOLOWER ${_part} _name)
        add_library(BoringSSL::${_name} UNKNOWN IMPORTED)
        set_target_properties(BoringSSL::${_name} PROPERTIES
            IMPORTED_LOCATION ${BoringSSL_${_part}_LIBRARY}
            INTERFACE_INCLUDE_DIRECTORIES ${BoringSSL_INCLUDE_DIR})
    endforeach()
    target_link_libraries(BoringSSL::ssl INTERFACE BoringSSL::crypto)
    if(BoringSSL_CRYPTO_LIBRARY MATCHES "\\.a$")
        set_property(TARGET BoringSSL::crypto APPEND PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads stdc++)
    endif()
    # Debian's libraries are not on the loader's path: executables carry it, installed ones too.
    get_filename_component(BoringSSL_LIBRARY_DIR ${BoringSSL_SSL_LIBRARY} DIRECTORY)
endif()
