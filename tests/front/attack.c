/* What a container may try on a file of its volume, for the tests of attacks: each attempt has a name.
 *
 *   attack all FILE OTHER   every attempt on FILE, in a process of its own each; a line for each:
 *                             NAME ok|ERRNO reached|kept
 *                           "reached" if OTHER (the same artifact in another volume) is another one afterwards
 *   attack NAME FILE        one of them, or one of these, which ask the other side:
 *       hold-lease, hold-lock, hold-record, hold-watch   say "NAME ok", and wait for the end of stdin;
 *                                                        hold-watch then says "saw" or "nothing"
 *       open-now, lock-now, record-now                   what would wait says EAGAIN
 *       socket, nest                        make a socket; make DEPTH directories, one in the other
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *directory; /* of the file that is attacked */

static const char *beside(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* Writes other bytes than any attempt before it did. */
static int scribble(int fd)
{
    char bytes[16];
    snprintf(bytes, sizeof bytes, "wrote %d", getpid());
    return fd < 0 || pwrite(fd, bytes, sizeof bytes, 0) < 0 ? -1 : 0;
}

static int write_file(const char *f) { return scribble(open(f, O_WRONLY)); }

static int write_mapped(const char *f)
{
    int fd = open(f, O_RDWR);
    char *at = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return -1;
    snprintf(at, 16, "mapped %d", getpid());
    return 0;
}

static int make_mapping_writable(const char *f)
{
    int fd = open(f, O_RDONLY);
    void *at = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? -1 : mprotect(at, 4096, PROT_READ | PROT_WRITE);
}

static int reopen(const char *f)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", open(f, O_RDONLY));
    return scribble(open(path, O_RDWR));
}

static int open_mapped(const char *f)
{
    char path[64];
    int fd = open(f, O_RDONLY);
    char *at = fd < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return -1;
    snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", (long)at, (long)at + 4096);
    return scribble(open(path, O_RDWR));
}

static int open_handle(const char *f)
{
    static union { struct file_handle handle; char room[sizeof(struct file_handle) + MAX_HANDLE_SZ]; } u;
    int id, top = open(directory, O_RDONLY | O_DIRECTORY);
    u.handle.handle_bytes = MAX_HANDLE_SZ;
    if (top < 0 || name_to_handle_at(AT_FDCWD, f, &u.handle, &id, 0) < 0) return -1;
    return scribble(open_by_handle_at(top, &u.handle, O_RDWR));
}

static int change_flags(const char *f)
{
    int flags, fd = open(f, O_RDONLY);
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return -1;
    flags |= FS_NODUMP_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int make_immutable(const char *f)
{
    int flags, fd = open(f, O_RDONLY);
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return -1;
    flags |= FS_IMMUTABLE_FL;
    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) return -1;
    flags &= ~FS_IMMUTABLE_FL; /* seen to work; what follows is to be attempted too */
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int set_capability(const char *f)
{
    struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2, .data = {{.permitted = 1 << CAP_NET_RAW}}};
    return setxattr(f, "security.capability", &cap, XATTR_CAPS_SZ_2, 0);
}

static int set_times(const char *f)
{
    struct timespec times[2] = {{1, 0}, {1, 0}};
    return utimensat(AT_FDCWD, f, times, 0);
}

static int punch(const char *f)
{
    int fd = open(f, O_RDWR);
    return fd < 0 ? -1 : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
}

static int clone_onto(const char *f)
{
    int from = open(f, O_RDONLY), to = open(f, O_WRONLY);
    return from < 0 || to < 0 ? -1 : ioctl(to, FICLONE, from);
}

static int remount_bind(const char *f)
{
    return mount(0, directory, 0, MS_REMOUNT | MS_BIND, 0) < 0 ? -1 : write_file(f);
}

static int remount_all(const char *f)
{
    return mount(0, directory, 0, MS_REMOUNT, "") < 0 ? -1 : write_file(f);
}

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : close(fd);
}

/* Everybody may have a user namespace of his own, with all capabilities in it. */
static int in_user_namespace(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || put("/proc/self/setgroups", "deny") < 0) return -1;
    return put("/proc/self/uid_map", "0 0 1") < 0 ? -1 : put("/proc/self/gid_map", "0 0 1");
}

static int user_write(const char *f) { return in_user_namespace() < 0 ? -1 : write_file(f); }
static int user_remount(const char *f) { return in_user_namespace() < 0 ? -1 : remount_bind(f); }

static int redirect(const char *f)
{
    (void)f;
    return setxattr(directory, "trusted.overlay.redirect", "/../../blobs", 12, 0);
}

static int lease(const char *f)
{
    int fd = open(f, O_RDONLY);
    return fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_WRLCK);
}

static int lock(const char *f)
{
    int fd = open(f, O_RDONLY);
    return fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB);
}

/* A lock of POSIX, on the file's bytes. */
static int lock_record(const char *f)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(f, O_RDWR | O_NONBLOCK);
    return fd < 0 ? -1 : fcntl(fd, F_SETLK, &whole);
}

static int link_out(const char *f) { return link(f, "/tmp/linked"); }
static int link_beside(const char *f) { return link(f, beside("linked")); }

static int replace(const char *f)
{
    int fd = open(beside("new"), O_WRONLY | O_CREAT, 0644);
    return scribble(fd) < 0 ? -1 : rename(beside("new"), f);
}

static int set_mode(const char *f) { return chmod(f, 0777); }
static int set_owner(const char *f) { return chown(f, 1234, 1234); }
static int set_attribute(const char *f) { return setxattr(f, "user.attack", "x", 1, 0); }
static int shorten(const char *f) { return truncate(f, 5000); }

static int watched;
static int watch(const char *f)
{
    watched = inotify_init1(IN_NONBLOCK);
    return watched < 0 || inotify_add_watch(watched, f, IN_ALL_EVENTS) < 0 ? -1 : 0;
}

static int open_now(const char *f) { return open(f, O_RDONLY | O_NONBLOCK) < 0 ? -1 : 0; }

static int lock_now(const char *f)
{
    int fd = open(f, O_RDONLY | O_NONBLOCK);
    return fd < 0 ? -1 : flock(fd, LOCK_SH | LOCK_NB);
}

static int make_socket(const char *f)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(at.sun_path, f, sizeof at.sun_path - 1);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof at);
}

static int depth;
static int nest(const char *f)
{
    if (chdir(f) < 0) return -1;
    for (int i = 0; i < depth; i++)
        if (mkdir("d", 0777) < 0 || chdir("d") < 0) return -1;
    return 0;
}

struct attempt {
    const char *name;
    int (*run)(const char *);
};

/* In this order: the last ones leave the volume with another file. */
static const struct attempt all[] = {
    {"lease", lease}, {"lock", lock}, {"watch", watch},
    {"write", write_file}, {"write-mapped", write_mapped}, {"mprotect", make_mapping_writable},
    {"proc-fd", reopen}, {"map-files", open_mapped}, {"handle", open_handle},
    {"user-write", user_write}, {"user-remount", user_remount},
    {"remount-bind", remount_bind}, {"remount", remount_all},
    {"chmod", set_mode}, {"utimes", set_times}, {"setxattr", set_attribute}, {"setcap", set_capability},
    {"flags", change_flags}, {"immutable", make_immutable}, {"redirect", redirect},
    {"clone", clone_onto}, {"punch", punch}, {"truncate", shorten}, {"chown", set_owner},
    {"link-out", link_out}, {"link-beside", link_beside}, {"rename-over", replace}, {"unlink", unlink},
};
static const struct attempt more[] = {
    {"hold-lease", lease}, {"hold-lock", lock}, {"hold-record", lock_record}, {"hold-watch", watch},
    {"open-now", open_now}, {"lock-now", lock_now}, {"record-now", lock_record},
    {"socket", make_socket}, {"nest", nest},
};

#define COUNT(of) (sizeof of / sizeof *of)

static uint64_t mix(uint64_t sum, const void *bytes, size_t count)
{
    for (const unsigned char *at = bytes; count--; at++) sum = (sum ^ *at) * 1099511628211u;
    return sum;
}

/* A sum over everything that a volume shows of a file. */
static uint64_t seen(const char *f)
{
    static char bytes[1 << 16], value[1 << 16];
    struct stat s;
    ssize_t got;
    int flags = 0, fd = open(f, O_RDONLY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &s) < 0) return errno;
    ioctl(fd, FS_IOC_GETFLAGS, &flags);
    uint64_t facts[] = {s.st_mode, s.st_uid, s.st_gid, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, flags};
    uint64_t sum = mix(14695981039346656037u, facts, sizeof facts);
    while ((got = read(fd, bytes, sizeof bytes)) > 0) sum = mix(sum, bytes, got);
    got = flistxattr(fd, bytes, sizeof bytes);
    for (char *name = bytes; got > 0 && name < bytes + got; name += strlen(name) + 1) {
        ssize_t size = fgetxattr(fd, name, value, sizeof value);
        sum = mix(mix(sum, name, strlen(name)), value, size < 0 ? 0 : size);
    }
    close(fd);
    return sum;
}

static const char *outcome(int result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

static void attempt_all(const char *f, const char *other)
{
    for (size_t i = 0; i < COUNT(all); i++) {
        uint64_t before = seen(other);
        if (fork() == 0) {
            printf("%s %s", all[i].name, outcome(all[i].run(f)));
            exit(0);
        }
        wait(0);
        printf(" %s\n", seen(other) == before ? "kept" : "reached");
        fflush(stdout);
    }
}

static void until_told(void)
{
    char c;
    while (read(0, &c, 1) > 0) continue;
}

int main(int count, char **words)
{
    static char path[4096], events[4096];
    if (count < 3) return 2;
    snprintf(path, sizeof path, "%s", words[2]);
    directory = dirname(path);
    signal(SIGIO, SIG_IGN); /* a lease that somebody wants back: never */
    if (!strcmp(words[1], "all") && count == 4) {
        attempt_all(words[2], words[3]);
        return 0;
    }
    depth = count == 4 ? atoi(words[3]) : 0;
    for (size_t i = 0; i < COUNT(all) + COUNT(more); i++) {
        const struct attempt *one = i < COUNT(all) ? &all[i] : &more[i - COUNT(all)];
        if (strcmp(words[1], one->name)) continue;
        printf("%s %s\n", one->name, outcome(one->run(words[2])));
        fflush(stdout);
        if (!strncmp(one->name, "hold-", 5)) until_told();
        if (one->run == watch && count == 3) puts(read(watched, events, sizeof events) > 0 ? "saw" : "nothing");
        return 0;
    }
    return 2;
}
