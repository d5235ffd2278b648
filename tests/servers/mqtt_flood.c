/* A fast MQTT 3.1.1 publisher: as many messages a second as asked, from one thread.
 *
 *     mqtt_flood HOST PORT TOPICS VALUES RATE SECONDS QOS WINDOW [JOURNAL [MOST]]
 *
 * Topic i of TOPICS is flood/<i>/data. A message is {"ts":T,"seq":N,"v":{"v0":…,…}} with VALUES values; T is in
 * microseconds since 1970 and rises so that a topic's messages are a millisecond apart, N counts all messages
 * from 1, value k is ((N * 2654435761 + k * 7919) mod 2^24) / 8. RATE 0 is as fast as the broker takes them; SECONDS may be
 * fractional, and MOST messages end it sooner. With QOS 1 at most WINDOW messages wait for their PUBACK, and JOURNAL gets a line "N i T" for
 * each message that has it. Prints "publishing" once connected and, at the end, "sent N seconds S".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OUT = 1 << 20, LARGEST = 1 << 16 };

static uint8_t out[OUT], in[1 << 16];
static size_t out_from, out_to, in_have;
static uint64_t number_of[65536], time_of[65536];
static FILE *journal;
static long topics, values, waiting;

static int64_t now_ns(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (int64_t) at.tv_sec * 1000000000 + at.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
    int one = 1, sock = socket(AF_INET, SOCK_STREAM, 0);

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || sock < 0 ||
        connect(sock, (struct sockaddr *) &address, sizeof address) < 0)
        die("connect");
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return sock;
}

static void say_hello(int sock)
{
    char id[24];
    uint8_t packet[64], answer[4];
    int n = snprintf(id, sizeof id, "flood-%d", (int) getpid()), got = 0;

    /* CONNECT, clean session, keepalive off. */
    memcpy(packet, "\x10\x00\x00\x04MQTT\x04\x02\x00\x00\x00", 13);
    packet[1] = (uint8_t) (12 + n);
    packet[13] = (uint8_t) n;
    memcpy(packet + 14, id, (size_t) n);
    if (write(sock, packet, (size_t) (14 + n)) != 14 + n)
        die("CONNECT");
    while (got < 4) {
        ssize_t more = read(sock, answer + got, (size_t) (4 - got));

        if (more <= 0)
            die("CONNACK");
        got += (int) more;
    }
    if (answer[0] != 0x20 || answer[3] != 0) {
        fprintf(stderr, "refused: %d\n", answer[3]);
        exit(1);
    }
}

static size_t put_message(uint8_t *at, uint64_t number, uint64_t micros, int qos, uint16_t id)
{
    static char body[LARGEST];
    long topic = (long) (number % (uint64_t) topics), k;
    char name[40];
    size_t size, all, head = 0;
    int topic_size = snprintf(name, sizeof name, "flood/%ld/data", topic);

    size = (size_t) snprintf(body, sizeof body, "{\"ts\":%llu,\"seq\":%llu,\"v\":{", (unsigned long long) micros,
                             (unsigned long long) number);
    for (k = 0; k < values; k++) {
        uint64_t raw = (number * 2654435761u + (uint64_t) k * 7919) % (1 << 24);

        size += (size_t) snprintf(body + size, sizeof body - size, "%s\"v%ld\":%llu.%03llu", k ? "," : "", k,
                                  (unsigned long long) (raw / 8), (unsigned long long) (raw % 8 * 125));
    }
    memcpy(body + size, "}}", 2);
    size += 2;
    all = 2 + (size_t) topic_size + (qos ? 2 : 0) + size;
    at[head++] = (uint8_t) (0x30 | qos << 1);
    do {
        at[head] = all & 127;
        all >>= 7;
        at[head++] |= (uint8_t) (all ? 128 : 0);
    } while (all);
    at[head++] = (uint8_t) (topic_size >> 8);
    at[head++] = (uint8_t) topic_size;
    memcpy(at + head, name, (size_t) topic_size);
    head += (size_t) topic_size;
    if (qos) {
        at[head++] = (uint8_t) (id >> 8);
        at[head++] = (uint8_t) id;
    }
    memcpy(at + head, body, size);
    return head + size;
}

/* PUBACK is four bytes; nothing else is expected. */
static void read_acks(int sock)
{
    ssize_t got = recv(sock, in + in_have, sizeof in - in_have, MSG_DONTWAIT);
    size_t at;

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        die("the broker closed");
    if (got > 0)
        in_have += (size_t) got;
    for (at = 0; at + 4 <= in_have; at += 4) {
        uint16_t id = (uint16_t) (in[at + 2] << 8 | in[at + 3]);

        if (in[at] != 0x40) {
            fprintf(stderr, "unexpected packet %02x\n", in[at]);
            exit(1);
        }
        waiting--;
        if (journal)
            fprintf(journal, "%llu %ld %llu\n", (unsigned long long) number_of[id],
                    (long) (number_of[id] % (uint64_t) topics), (unsigned long long) time_of[id]);
    }
    memmove(in, in + at, in_have - at);
    in_have -= at;
}

static void send_out(int sock)
{
    while (out_from < out_to) {
        ssize_t sent = send(sock, out + out_from, out_to - out_from, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return;
            die("send");
        }
        out_from += (size_t) sent;
    }
    out_from = out_to = 0;
}

int main(int argc, char **argv)
{
    uint64_t sent = 0, micros = 0, most = UINT64_MAX, step;
    uint16_t id = 0;
    int64_t begin, end;
    double rate, seconds;
    long window;
    int sock, qos;

    if (argc < 9) {
        fprintf(stderr, "usage: mqtt_flood HOST PORT TOPICS VALUES RATE SECONDS QOS WINDOW [JOURNAL [MOST]]\n");
        return 2;
    }
    topics = atol(argv[3]), values = atol(argv[4]);
    rate = atof(argv[5]), seconds = atof(argv[6]);
    qos = atoi(argv[7]), window = atol(argv[8]);
    step = (uint64_t) (1000 / topics + 1);
    if (argc > 9 && !(journal = fopen(argv[9], "w")))
        die("journal");
    if (argc > 10)
        most = strtoull(argv[10], NULL, 10);
    sock = dial(argv[1], atoi(argv[2]));
    say_hello(sock);
    puts("publishing");
    fflush(stdout);
    begin = now_ns(CLOCK_MONOTONIC), end = begin + (int64_t) (seconds * 1e9);
    for (;;) {
        int64_t now = now_ns(CLOCK_MONOTONIC);
        uint64_t due = rate > 0 ? (uint64_t) ((double) (now - begin) / 1e9 * rate) + 1 : UINT64_MAX;
        struct pollfd ready = {.fd = sock, .events = POLLIN};
        int is_over = now >= end || sent >= most;

        while (!is_over && sent < due && sent < most && out_to < OUT - LARGEST - 100 && (!qos || waiting < window)) {
            uint64_t at = (uint64_t) now_ns(CLOCK_REALTIME) / 1000;

            micros = at > micros + step ? at : micros + step;
            sent++;
            if (qos) {
                id = (uint16_t) (id == 65535 ? 1 : id + 1);
                number_of[id] = sent, time_of[id] = micros;
                waiting++;
            }
            out_to += put_message(out + out_to, sent, micros, qos, id);
            if (out_to > 16384) /* keep the broker busy while the next are written */
                break;
        }
        send_out(sock);
        read_acks(sock);
        if (is_over && out_from == out_to && (!qos || waiting == 0 || now > end + 10000000000))
            break;
        if (out_from < out_to)
            ready.events |= POLLOUT;
        if (is_over || sent >= due || out_from < out_to || (qos && waiting >= window))
            poll(&ready, 1, 1);
    }
    if (journal)
        fclose(journal);
    write(sock, "\xe0\x00", 2) < 0 ? (void) 0 : (void) 0;
    printf("sent %llu seconds %.3f\n", (unsigned long long) sent,
           (double) (now_ns(CLOCK_MONOTONIC) - begin) / 1e9);
    return 0;
}
