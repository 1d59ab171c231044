dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl Compiler options beyond CFLAGS, which belong to the user who builds.

dnl AUTHSTATUS_TRY_FLAG(VARIABLE, FLAG)
dnl Appends FLAG to VARIABLE if the compiler takes it. -Werror, as clang only warns of what it does not know.
AC_DEFUN([AUTHSTATUS_TRY_FLAG],[
AS_VAR_PUSHDEF([cached],[authstatus_cv_flag_$2])
AC_CACHE_CHECK([whether $CC takes $2],[cached],[
    authstatus_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],[AS_VAR_SET([cached],[yes])],[AS_VAR_SET([cached],[no])])
    CFLAGS=$authstatus_save_CFLAGS])
AS_VAR_IF([cached],[yes],[$1="$$1 $2"])
AS_VAR_POPDEF([cached])
])

dnl AUTHSTATUS_WARNINGS
dnl Sets WARNING_CFLAGS. Warnings always, errors only with --enable-werror: a packager's next compiler knows more of them.
AC_DEFUN([AUTHSTATUS_WARNINGS],[
AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror],[a warning ends the build (for developers and CI)])],
    [],[enable_werror=no])
WARNING_CFLAGS=
m4_foreach_w([flag],
    [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wswitch-enum
     -Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef],
    [AUTHSTATUS_TRY_FLAG([WARNING_CFLAGS],flag)])
AS_IF([test "x$enable_werror" = xyes],[WARNING_CFLAGS="$WARNING_CFLAGS -Werror"])
AC_SUBST([WARNING_CFLAGS])
])

dnl AUTHSTATUS_SANITIZERS
dnl Sets SANITIZER_CFLAGS. Undefined behaviour ends the process, so that no test can pass over it.
AC_DEFUN([AUTHSTATUS_SANITIZERS],[
AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers],
        [AddressSanitizer and UndefinedBehaviorSanitizer; httpd then needs their libraries preloaded])],
    [],[enable_sanitizers=no])
SANITIZER_CFLAGS=
AS_IF([test "x$enable_sanitizers" = xyes],[
    SANITIZER_CFLAGS="-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
    authstatus_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $SANITIZER_CFLAGS"
    AC_MSG_CHECKING([whether $CC has the sanitizers])
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],[AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$CC cannot link with $SANITIZER_CFLAGS])])
    CFLAGS=$authstatus_save_CFLAGS])
AC_SUBST([SANITIZER_CFLAGS])
])

dnl AUTHSTATUS_PREFIX_MAP
dnl Sets PREFIX_MAP_CFLAGS, for a Makefile to expand: __FILE__ and debugging information name src/core/outcome.c wherever it
dnl was built, so that two builds give the same bytes.
AC_DEFUN([AUTHSTATUS_PREFIX_MAP],[
PREFIX_MAP_CFLAGS=
AUTHSTATUS_TRY_FLAG([PREFIX_MAP_CFLAGS],[-ffile-prefix-map=/nowhere=.])
AS_IF([test -n "$PREFIX_MAP_CFLAGS"],
    [PREFIX_MAP_CFLAGS="'-ffile-prefix-map=\$(abs_builddir)=.' '-ffile-prefix-map=\$(abs_srcdir)/=' '-ffile-prefix-map=\$(srcdir)/='"])
AC_SUBST([PREFIX_MAP_CFLAGS])
])

dnl AUTHSTATUS_TRY_LINKER_FLAG(VARIABLE, FLAG)
dnl Appends FLAG to VARIABLE if compiler and linker take it.
AC_DEFUN([AUTHSTATUS_TRY_LINKER_FLAG],[
AS_VAR_PUSHDEF([cached],[authstatus_cv_linker_flag_$2])
AC_CACHE_CHECK([whether $CC links with $2],[cached],[
    authstatus_save_LDFLAGS=$LDFLAGS
    LDFLAGS="$LDFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],[AS_VAR_SET([cached],[yes])],[AS_VAR_SET([cached],[no])])
    LDFLAGS=$authstatus_save_LDFLAGS])
AS_VAR_IF([cached],[yes],[$1="$$1 $2"])
AS_VAR_POPDEF([cached])
])

dnl AUTHSTATUS_TRY_FORTIFY(LEVEL)
dnl Appends _FORTIFY_SOURCE to HARDENING_CPPFLAGS, unless it is there. The C library warns where it has no effect: without
dnl optimization, or where the compiler has no such level.
AC_DEFUN([AUTHSTATUS_TRY_FORTIFY],[
AS_CASE([$HARDENING_CPPFLAGS],[*_FORTIFY_SOURCE*],[],[
    AC_CACHE_CHECK([whether $CC takes -D_FORTIFY_SOURCE=$1],[authstatus_cv_fortify_$1],[
        authstatus_save_CPPFLAGS=$CPPFLAGS
        authstatus_save_CFLAGS=$CFLAGS
        CPPFLAGS="-D_FORTIFY_SOURCE=$1 $CPPFLAGS"
        CFLAGS="$CFLAGS -Werror"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <string.h>
#ifndef __OPTIMIZE__
#error "has no effect"
#endif
]])],[authstatus_cv_fortify_$1=yes],[authstatus_cv_fortify_$1=no])
        CPPFLAGS=$authstatus_save_CPPFLAGS
        CFLAGS=$authstatus_save_CFLAGS])
    AS_IF([test "x$authstatus_cv_fortify_$1" = xyes],[HARDENING_CPPFLAGS="$HARDENING_CPPFLAGS -D_FORTIFY_SOURCE=$1"])])
])

dnl AUTHSTATUS_HARDENING
dnl Sets HARDENING_CPPFLAGS, HARDENING_CFLAGS and HARDENING_LDFLAGS: what distributions compile and link with. CPPFLAGS,
dnl CFLAGS and LDFLAGS come later on the command line, so those of the user who builds take precedence. Comes after
dnl AUTHSTATUS_SANITIZERS: AddressSanitizer does not see through fortified functions.
AC_DEFUN([AUTHSTATUS_HARDENING],[
AC_ARG_ENABLE([hardening],
    [AS_HELP_STRING([--disable-hardening],
        [no stack protector, _FORTIFY_SOURCE, RELRO and BIND_NOW beyond those of CFLAGS and LDFLAGS])],
    [],[enable_hardening=yes])
HARDENING_CPPFLAGS=
HARDENING_CFLAGS=
HARDENING_LDFLAGS=
AS_IF([test "x$enable_hardening" = xyes && test "x$enable_sanitizers" != xyes],[
    AC_MSG_CHECKING([whether _FORTIFY_SOURCE is set])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#ifndef _FORTIFY_SOURCE
#error "not set"
#endif
]])],[authstatus_fortified=yes],[authstatus_fortified=no])
    AC_MSG_RESULT([$authstatus_fortified])
    AS_IF([test $authstatus_fortified = no],[
        AUTHSTATUS_TRY_FORTIFY([3])
        AUTHSTATUS_TRY_FORTIFY([2])])
    m4_foreach_w([flag],[-fstack-protector-strong -fstack-clash-protection -fcf-protection],
        [AUTHSTATUS_TRY_FLAG([HARDENING_CFLAGS],flag)])
    AUTHSTATUS_TRY_LINKER_FLAG([HARDENING_LDFLAGS],[-Wl,-z,relro])
    AUTHSTATUS_TRY_LINKER_FLAG([HARDENING_LDFLAGS],[-Wl,-z,now])
    AUTHSTATUS_TRY_LINKER_FLAG([HARDENING_LDFLAGS],[-Wl,-z,noexecstack])])
AC_SUBST([HARDENING_CPPFLAGS])
AC_SUBST([HARDENING_CFLAGS])
AC_SUBST([HARDENING_LDFLAGS])
])
