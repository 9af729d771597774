/* Runs a program that may not make memory both writable and executable:
 *   mdwe prctl|seccomp PROGRAM [ARGUMENT...]
 * prctl is PR_SET_MDWE of Linux 6.3, seccomp the filter that systemd's MemoryDenyWriteExecute= installs on
 * older kernels. Exits with 77 if the kernel has neither. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int filter(void) {
  enum { NUMBER = offsetof(struct seccomp_data, nr), PROTECTION = offsetof(struct seccomp_data, args[2]) };
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NUMBER),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PROTECTION),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_WRITE | PROT_EXEC, 4, 3),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, PROTECTION),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: mdwe prctl|seccomp PROGRAM [ARGUMENT...]\n"), 2;
  int result = strcmp(argv[1], "prctl") == 0 ? prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0) : filter();
  if (result != 0) return perror(argv[1]), 77;
  if (mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
    return fprintf(stderr, "%s lets memory be writable and executable\n", argv[1]), 78;
  execv(argv[2], argv + 2);
  return perror(argv[2]), 1;
}
