import profile from './default-seccomp.json' with { type: 'json' }

/** OCI runtime-spec, config-linux.md, "Seccomp". */
export interface SeccompConfig {
  readonly defaultAction: string
  readonly defaultErrnoRet: number
  readonly architectures: readonly string[]
  readonly syscalls: readonly SeccompRule[]
}

interface SeccompRule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly { index: number; value: number; valueTwo?: number; op: string }[]
}

export type Architecture = 'amd64' | 'arm64'

const errno = { EPERM: 1, ENOSYS: 38 } as const
const architectures: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET */
const namespaceFlags = 0x7e020000
/** Linux, Linux32, BSD-compatible UNAME26 variants and "tell me": what personality(2) may be asked for. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]
const afVsock = 40

/**
 * The filter of every instance: what containers usually may call, less what only serves to build namespaces
 * and mounts. `default-seccomp.json` is derived from the profile of containers-common (Apache-2.0).
 * Unknown calls give ENOSYS, so that a newer libc falls back; known dangerous ones give EPERM.
 */
export function seccompFor(architecture: Architecture, capabilities: readonly string[]): SeccompConfig {
  const byCapability = Object.entries(profile.allowWithCapability)
  const granted = byCapability.filter(([name]) => capabilities.includes(name)).flatMap(([, names]) => names)
  const withheld = byCapability
    .flatMap(([, names]) => names)
    .filter((name) => !granted.includes(name) && name !== 'clone3')
  const administers = capabilities.includes('CAP_SYS_ADMIN')
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: errno.ENOSYS,
    architectures: architectures[architecture],
    syscalls: [
      allow([...profile.allow, ...profile.allowOnArchitecture[architecture], ...granted]),
      { names: [...withheld, ...profile.refuse], action: 'SCMP_ACT_ERRNO', errnoRet: errno.EPERM },
      // The flags of clone3 lie behind a pointer and cannot be checked: libc falls back to clone.
      administers
        ? allow(['clone'])
        : allow(['clone'], [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
      allow(['socket'], [{ index: 0, value: afVsock, op: 'SCMP_CMP_NE' }]),
      ...personalities.map((value) => allow(['personality'], [{ index: 0, value, op: 'SCMP_CMP_EQ' }])),
    ],
  }
}

const allow = (names: readonly string[], args?: SeccompRule['args']): SeccompRule => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
})
