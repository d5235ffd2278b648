/* An independent Modbus peer on Debian's libmodbus.
 *
 *     libmodbus_server          Modbus TCP: prints its port, serves until its standard input ends
 *     libmodbus_server DEVICE UNIT
 *                               Modbus RTU on a serial device, 115200 baud, no parity: prints "ready", the same
 *
 * Holding register a below 400 holds (37 a) mod 65536, input register a (41 a) mod 65536. From 400 on the
 * holding registers carry a value of every type, the integers placed by libmodbus's own macros, so that our
 * decoder is compared with another hand: see place(). Coil a is set when a mod 3 is 0, discrete input a when a
 * mod 5 is 0.
 */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REGISTERS = 1000, BITS = 3000, PLAIN = 400, MOST = 64 };

static void place(uint16_t *at)
{
    /* Variables, because libmodbus's macros cut constants with a warning. */
    int32_t balance = -123456789;
    int64_t deep = -1234567890123456789LL, total = (int64_t) 18446744073709551557ULL;

    /* 123456.0 is 47 F1 20 00, the most significant byte first; written out, since the orders libmodbus's
     * own float functions are named for changed between its versions. */
    at[400] = 0x47F1; /* ABCD */
    at[401] = 0x2000;
    at[402] = 0x2000; /* CDAB */
    at[403] = 0x47F1;
    at[404] = 0xF147; /* BADC */
    at[405] = 0x0020;
    at[406] = 0x0020; /* DCBA */
    at[407] = 0xF147;
    at[408] = 0xBE20; /* -0.15625 */
    at[409] = 0x0000;
    MODBUS_SET_INT32_TO_INT16(at, 410, balance);
    MODBUS_SET_INT64_TO_INT16(at, 412, deep);
    MODBUS_SET_INT64_TO_INT16(at, 416, total);
    at[420] = (uint16_t) -2;
    at[421] = 0x1234; /* packed decimal 12345678 */
    at[422] = 0x5678;
    at[423] = ('P' << 8) | 'u';
    at[424] = ('m' << 8) | 'p';
    at[425] = (' ' << 8) | '7';
    at[426] = 0;
    at[427] = 1 << 11;
}

static int listening(modbus_t **context)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int socket_;

    *context = modbus_new_tcp("127.0.0.1", 0);
    if (*context == NULL || (socket_ = modbus_tcp_listen(*context, 8)) < 0 ||
        getsockname(socket_, (struct sockaddr *) &address, &size) < 0) {
        perror("listen");
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return socket_;
}

static int serve_line(const char *device, int unit, modbus_mapping_t *memory)
{
    uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    modbus_t *context = modbus_new_rtu(device, 115200, 'N', 8, 1);

    if (context == NULL || modbus_set_slave(context, unit) < 0 || modbus_connect(context) < 0) {
        perror(device);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        int line = modbus_get_socket(context), size;
        fd_set ready;

        FD_ZERO(&ready);
        FD_SET(STDIN_FILENO, &ready);
        FD_SET(line, &ready);
        if (select(line + 1, &ready, NULL, NULL, NULL) < 0)
            return 1;
        if (FD_ISSET(STDIN_FILENO, &ready) && read(STDIN_FILENO, query, sizeof query) <= 0)
            break;
        if (FD_ISSET(line, &ready) && (size = modbus_receive(context, query)) > 0)
            modbus_reply(context, query, size, memory);
    }
    modbus_close(context);
    modbus_free(context);
    return 0;
}

int main(int arguments, char **argument)
{
    modbus_t *context;
    modbus_mapping_t *memory = modbus_mapping_new(BITS, BITS, REGISTERS, REGISTERS);
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    int clients[MOST], count = 0, server, i;

    if (memory == NULL)
        return 1;
    for (i = 0; i < PLAIN; i++) {
        memory->tab_registers[i] = (uint16_t) (37 * i);
        memory->tab_input_registers[i] = (uint16_t) (41 * i);
    }
    for (i = 0; i < BITS; i++) {
        memory->tab_bits[i] = i % 3 == 0;
        memory->tab_input_bits[i] = i % 5 == 0;
    }
    place(memory->tab_registers);
    if (arguments == 3)
        return serve_line(argument[1], atoi(argument[2]), memory);
    server = listening(&context);
    for (;;) {
        fd_set ready;
        int highest = server;

        FD_ZERO(&ready);
        FD_SET(STDIN_FILENO, &ready);
        FD_SET(server, &ready);
        for (i = 0; i < count; i++) {
            FD_SET(clients[i], &ready);
            if (clients[i] > highest)
                highest = clients[i];
        }
        if (select(highest + 1, &ready, NULL, NULL, NULL) < 0)
            return errno == EINTR ? 0 : 1;
        if (FD_ISSET(STDIN_FILENO, &ready) && read(STDIN_FILENO, query, sizeof query) <= 0)
            break;
        for (i = 0; i < count; i++) {
            int size;

            if (!FD_ISSET(clients[i], &ready))
                continue;
            modbus_set_socket(context, clients[i]);
            size = modbus_receive(context, query);
            if (size < 0 || (size > 0 && modbus_reply(context, query, size, memory) < 0)) {
                close(clients[i]);
                clients[i--] = clients[--count];
                break;
            }
        }
        if (FD_ISSET(server, &ready) && count < MOST) {
            int client = accept(server, NULL, NULL);

            if (client >= 0)
                clients[count++] = client;
        }
    }
    modbus_mapping_free(memory);
    modbus_free(context);
    return 0;
}
