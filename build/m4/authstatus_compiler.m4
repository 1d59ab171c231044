dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl What the compiler is asked for beyond CFLAGS, which belong to whoever builds.

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
dnl Sets WARNING_CFLAGS. Warnings always, errors only when asked for: a packager's next compiler knows more of them.
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
    [PREFIX_MAP_CFLAGS='-ffile-prefix-map=$(abs_builddir)=. -ffile-prefix-map=$(abs_srcdir)/= -ffile-prefix-map=$(srcdir)/='])
AC_SUBST([PREFIX_MAP_CFLAGS])
])
