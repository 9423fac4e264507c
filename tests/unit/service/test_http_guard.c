/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may ask: hosts, origins, tokens, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "ingest/service/http_guard.h"

static void hosts_are_addresses_or_known_names(void **state)
{
    static const char *const good[] = {
        "localhost",      "LocalHost:8090", "127.0.0.1", "10.0.0.1:1",    "[::1]",
        "[fe80::1]:8090", "daq-7",          "DAQ-7:80",  "a.example.org", "b.example.org:65535"};
    static const char *const bad[] = {"",
                                      "evil",
                                      "localhost.evil",
                                      "127.0.0.1.evil",
                                      "daq-7.evil",
                                      "[localhost]",
                                      "::1",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]:",
                                      "localhost:",
                                      "localhost:80x",
                                      "localhost:123456",
                                      "a.example.or",
                                      "example.org",
                                      "a.example.org,"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!sluice_http_host_allowed(good[i], "daq-7", "a.example.org, b.example.org"))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sluice_http_host_allowed(bad[i], "daq-7", "a.example.org, b.example.org"))
            fail_msg("allowed: %s", bad[i]);
    assert_false(sluice_http_host_allowed(NULL, "daq-7", ""));
    char longest[600];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(sluice_http_host_allowed(longest, longest, longest));
    assert_false(sluice_http_host_allowed("", "", ""));
}

static void an_origin_must_be_the_host_itself(void **state)
{
    (void)state;
    assert_true(sluice_http_origin_allowed(NULL, "localhost:1"));
    assert_true(sluice_http_origin_allowed("http://localhost:1", "localhost:1"));
    assert_true(sluice_http_origin_allowed("https://LOCALHOST:1", "localhost:1"));
    assert_false(sluice_http_origin_allowed("http://localhost:2", "localhost:1"));
    assert_false(sluice_http_origin_allowed("http://localhost:1/", "localhost:1"));
    assert_false(sluice_http_origin_allowed("null", "localhost:1"));
    assert_false(sluice_http_origin_allowed("", "localhost:1"));
    assert_false(sluice_http_origin_allowed("http://", "localhost:1"));
    assert_false(sluice_http_origin_allowed("ftp://localhost:1", "localhost:1"));
    assert_false(sluice_http_origin_allowed("http://localhost:1", NULL));
}

static void only_the_whole_token_matches(void **state)
{
    (void)state;
    assert_true(sluice_http_token_matches("Bearer abc", "abc"));
    assert_true(sluice_http_token_matches("bearer abc", "abc"));
    assert_false(sluice_http_token_matches(NULL, "abc"));
    assert_false(sluice_http_token_matches("", "abc"));
    assert_false(sluice_http_token_matches("Bearer", "abc"));
    assert_false(sluice_http_token_matches("Bearer ", "abc"));
    assert_false(sluice_http_token_matches("Bearer ab", "abc"));
    assert_false(sluice_http_token_matches("Bearer abcabc", "abc"));
    assert_false(sluice_http_token_matches("Bearer abd", "abc"));
    assert_false(sluice_http_token_matches("Basic abc", "abc"));
    assert_false(sluice_http_token_matches("Bearer ", "")); /* no token lets nobody in */
}

static bool is_loopback(int family, const char *text)
{
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    address.ss_family = (sa_family_t)family;
    void *into = family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr
                                   : (void *)&((struct sockaddr_in6 *)&address)->sin6_addr;
    assert_int_equal(inet_pton(family, text, into), 1);
    return sluice_http_is_loopback((const struct sockaddr *)&address);
}

static void loopback_is_this_host_alone(void **state)
{
    (void)state;
    assert_true(is_loopback(AF_INET, "127.0.0.1"));
    assert_true(is_loopback(AF_INET, "127.9.9.9"));
    assert_true(is_loopback(AF_INET6, "::1"));
    assert_false(is_loopback(AF_INET, "0.0.0.0"));
    assert_false(is_loopback(AF_INET, "128.0.0.1"));
    assert_false(is_loopback(AF_INET6, "::"));
    assert_false(is_loopback(AF_INET6, "::2"));
    const struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(sluice_http_is_loopback(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_addresses_or_known_names),
        cmocka_unit_test(an_origin_must_be_the_host_itself),
        cmocka_unit_test(only_the_whole_token_matches),
        cmocka_unit_test(loopback_is_this_host_alone),
    };
    return cmocka_run_group_tests_name("http: who may ask", tests, NULL, NULL);
}
