/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka with the headers that it wants to see first. */
#ifndef SLUICE_TESTS_UNIT_PROTOCOL_CMOCKA_ALL_H
#define SLUICE_TESTS_UNIT_PROTOCOL_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
