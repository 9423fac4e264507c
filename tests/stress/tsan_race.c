/* SPDX-License-Identifier: Apache-2.0
 *
 * A race, on purpose: two threads that received the same from libzmq write to the same word. Run
 * only where ThreadSanitizer has to report it, which shows that our list of what it is not to
 * report (tests/support/tsan_suppressions.c) does not hide what is ours. */
#include <pthread.h>
#include <stdio.h>
#include <zmq.h>

static void *context;
static int raced;

static void *receive_and_write(void *endpoint)
{
    char text[8];
    void *socket = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    zmq_connect(socket, endpoint);
    const int bytes = zmq_recv(socket, text, sizeof text, 0);
    raced += bytes; /* the race */
    zmq_close(socket);
    return NULL;
}

int main(void)
{
    char endpoint[64];
    size_t bytes = sizeof endpoint;
    pthread_t threads[2];
    context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_XPUB);
    zmq_setsockopt(socket, ZMQ_XPUB_VERBOSE, &(int){1},
                   sizeof(int)); /* each one's, not the first's */
    zmq_bind(socket, "tcp://127.0.0.1:*");
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, receive_and_write, endpoint);
    for (int i = 0; i < 2; i++) { /* both have subscribed */
        char subscription[8];
        zmq_recv(socket, subscription, sizeof subscription, 0);
    }
    zmq_send(socket, "word", 4, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    zmq_close(socket);
    zmq_ctx_term(context);
    printf("%d\n", raced);
    return 0;
}
