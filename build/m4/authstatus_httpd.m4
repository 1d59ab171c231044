dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl AUTHSTATUS_HTTPD
dnl
dnl Finds httpd through apxs, and sets
dnl   APXS, HTTPD_VERSION  the program, and the version it belongs to
dnl   APR_CPPFLAGS         for sources that know APR but not httpd
dnl   HTTPD_CPPFLAGS       for sources that know httpd
dnl   APR_LIBS             for test programs; in a module httpd itself resolves APR
dnl   modulesdir           where the module is installed
dnl
dnl apxs is queried for directories and EXTRA_CPPFLAGS alone: its CFLAGS are those of httpd's packager (hardening, paths of
dnl his build machine), and EXTRA_INCLUDES has -I. and -I/usr/include in it.

AC_DEFUN([AUTHSTATUS_HTTPD],[
AC_ARG_WITH([apxs],
    [AS_HELP_STRING([--with-apxs=PATH],[httpd's apxs @<:@searched for@:>@])],
    [],[with_apxs=yes])
AC_ARG_WITH([modulesdir],
    [AS_HELP_STRING([--with-modulesdir=DIR],[where to install the module @<:@as apxs says@:>@])],
    [],[with_modulesdir=yes])

AS_CASE([$with_apxs],
    [no],[AC_MSG_ERROR([mod_authstatus is a module of httpd: it cannot do without apxs])],
    [yes],[AC_PATH_PROGS([APXS],[apxs apxs2],[],
        [$PATH$PATH_SEPARATOR/usr/sbin$PATH_SEPARATOR/usr/local/apache2/bin])],
    [APXS=$with_apxs])
AS_IF([test -z "$APXS"],
    [AC_MSG_ERROR([no apxs found: install apache2-dev (Debian) or httpd-devel, or say --with-apxs=PATH])])
AS_IF([test ! -x "$APXS"],[AC_MSG_ERROR([$APXS is not a program])])
AC_SUBST([APXS])

httpd_includedir=`"$APXS" -q INCLUDEDIR`
httpd_cppflags=`"$APXS" -q EXTRA_CPPFLAGS`
HTTPD_VERSION=`"$APXS" -q HTTPD_VERSION 2>/dev/null`
AS_IF([test -z "$httpd_includedir"],[AC_MSG_ERROR([$APXS does not say where httpd's headers are])])
AS_IF([test -z "$HTTPD_VERSION"],[HTTPD_VERSION=unknown])

AS_IF([test "x$with_modulesdir" = xyes],
    [modulesdir=`"$APXS" -q LIBEXECDIR`],
    [modulesdir=$with_modulesdir])
AC_SUBST([modulesdir])

apr_config=`"$APXS" -q APR_CONFIG`
apu_config=`"$APXS" -q APU_CONFIG`
AS_IF([test ! -x "$apr_config" || test ! -x "$apu_config"],
    [AC_MSG_ERROR([$APXS names no usable apr-1-config and apu-1-config])])

dnl Other people's headers are -isystem: our warnings are about our code. /usr/include must not be named so, as the
dnl compiler's own headers look for it after themselves.
APR_CPPFLAGS=`"$apr_config" --cppflags`
for flag in `"$apr_config" --includes` `"$apu_config" --includes`; do
    AS_CASE([$flag],
        [-I/usr/include | -I/usr/include/],[],
        [-I*],[
            dir=`AS_ECHO(["$flag"]) | sed 's/^-I//'`
            AS_CASE([" $APR_CPPFLAGS "],[*" -isystem $dir "*],[],[APR_CPPFLAGS="$APR_CPPFLAGS -isystem $dir"])])
done
HTTPD_CPPFLAGS="-isystem $httpd_includedir $APR_CPPFLAGS"
for flag in $httpd_cppflags; do
    AS_CASE([" $HTTPD_CPPFLAGS "],[*" $flag "*],[],[HTTPD_CPPFLAGS="$HTTPD_CPPFLAGS $flag"])
done
APR_LIBS="`"$apu_config" --link-ld` `"$apr_config" --link-ld`"
AC_SUBST([APR_CPPFLAGS])
AC_SUBST([HTTPD_CPPFLAGS])
AC_SUBST([APR_LIBS])

AC_CACHE_CHECK([whether httpd is 2.4 or later],[authstatus_cv_httpd_24],[
    authstatus_save_CPPFLAGS=$CPPFLAGS
    CPPFLAGS="$CPPFLAGS $HTTPD_CPPFLAGS"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#include <httpd.h>
#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 0)
#error "older than 2.4"
#endif
]])],[authstatus_cv_httpd_24=yes],[authstatus_cv_httpd_24=no])
    CPPFLAGS=$authstatus_save_CPPFLAGS])
AS_IF([test "x$authstatus_cv_httpd_24" != xyes],
    [AC_MSG_ERROR([httpd.h of $httpd_includedir does not compile, or is older than 2.4 (see config.log)])])
])
