/* A Modbus server that is not ours: libmodbus, over TCP or on a serial line.
 *
 *   libmodbus_server tcp               prints `port N` when it listens
 *   libmodbus_server rtu DEVICE UNIT   prints `port 0` when the line is open
 *
 * Register a of the holding registers holds 7 a + 1, of the input registers 11 a + 2;
 * a coil is on where 3 divides its address, a discrete input where 2 does. There are
 * 1000 of each. It ends when its standard input does. */

#include <errno.h>
#include <modbus/modbus.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REGISTERS = 1000 };

static void *end_with_stdin(void *unused)
{
    char c;
    while (read(0, &c, 1) > 0)
        ;
    _exit(0);
    return unused;
}

static void serve(modbus_t *ctx, modbus_mapping_t *map, int ends)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        int length = modbus_receive(ctx, query);
        if (length > 0)
            modbus_reply(ctx, query, length, map);
        else if (length < 0 && ends)
            return;
    }
}

int main(int argc, char **argv)
{
    pthread_t watcher;
    pthread_create(&watcher, NULL, end_with_stdin, NULL);
    modbus_mapping_t *map = modbus_mapping_new(REGISTERS, REGISTERS, REGISTERS, REGISTERS);
    for (int a = 0; a < REGISTERS; a++) {
        map->tab_registers[a] = 7 * a + 1;
        map->tab_input_registers[a] = 11 * a + 2;
        map->tab_bits[a] = a % 3 == 0;
        map->tab_input_bits[a] = a % 2 == 0;
    }
    if (argc == 4 && strcmp(argv[1], "rtu") == 0) {
        modbus_t *ctx = modbus_new_rtu(argv[2], 19200, 'N', 8, 1);
        modbus_set_slave(ctx, atoi(argv[3]));
        if (modbus_connect(ctx) != 0) {
            fprintf(stderr, "%s\n", modbus_strerror(errno));
            return 1;
        }
        printf("port 0\n");
        fflush(stdout);
        serve(ctx, map, 0);
    }
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
    int listening = modbus_tcp_listen(ctx, 1);
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    if (listening < 0 || getsockname(listening, (struct sockaddr *)&at, &size) != 0)
        return 1;
    printf("port %d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        if (modbus_tcp_accept(ctx, &listening) < 0)
            return 1;
        serve(ctx, map, 1);
        modbus_close(ctx);
    }
}
