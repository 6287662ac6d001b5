import { describe, expect, it } from 'vitest'
import { rightsHint } from './rights-hint.ts'

const hintOf = (...lines: readonly string[]): string => rightsHint('web', lines) ?? 'none'

describe('a hint at what to declare', () => {
  it.each([
    ["sh: can't create /var/log/app.log: Read-only file system", '/var/log'],
    ["touch: cannot touch '/var/lib/app/x': Read-only file system", '/var/lib/app'],
    ["OSError: [Errno 30] Read-only file system: '/var/log/app.log'", '/var/log'],
    ["Error: EROFS: read-only file system, open '/srv/app/data/x.json'", '/srv/app/data'],
    ["Error: EROFS: read-only file system, mkdir '/app/.cache'", '/app/.cache'],
    ['2026/11/25 14:20:01 open /var/log/app.log: read-only file system', '/var/log'],
    ['java.io.FileNotFoundException: /opt/app/logs/a.log (Read-only file system)', '/opt/app/logs'],
    [
      'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)',
      '/var/cache/nginx',
    ],
    ['nginx: [emerg] open() "/run/nginx.pid" failed (30: Read-only file system)', '/run'],
    ["mkdir: can't create directory '/var/www': Read-only file system", '/var/www'],
    ["mkdir: can't create directory '/run/app': Read-only file system", '/run/app'],
    ['/entrypoint.sh: line 3: /etc/app/my.conf: Read-only file system', '/etc/app'],
    ["Could not open '/var/log/x.log': Read-only file system at /app/server.pl line 3.", '/var/log'],
    ['Read-only file system @ rb_sysopen - /app/log/production.log (Errno::EROFS)', '/app/log'],
    ['\u001b[31mError: EROFS: read-only file system, open \u001b[1m/x/y/z\u001b[0m', '/x/y'],
  ])('names the folder of a read-only file system: %s', (line, folder) => {
    expect(hintOf('something before', line, 'something after')).toContain(`\`writable: [${folder}]\` for web`)
  })

  it('names every folder once, and a general remedy where no line names one', () => {
    const line = (path: string) => `open ${path}: read-only file system`
    expect(hintOf(line('/run/a'), line('/run/b'), line('/var/log/c'))).toContain(
      '`writable: [/run, /var/log]`',
    )
    expect(hintOf('Read-only file system')).toContain('`writable: [/folder]`')
    // The root itself cannot be declared.
    expect(hintOf(line('/core'))).toContain('`writable: [/folder]`')
  })

  it.each([
    ['chown: /tmp/x: Operation not permitted', 'CHOWN'],
    ["Error: EPERM: operation not permitted, chown '/data'", 'CHOWN'],
    ['nginx: [emerg] chown("/var/cache/nginx", 101) failed (1: Operation not permitted)', 'CHOWN'],
    ['chmod: changing permissions of /data: Operation not permitted', 'FOWNER'],
    ['httpd: setgroups: Operation not permitted', 'SETGID, SETUID'],
    ['nginx: [emerg] setgid(101) failed (1: Operation not permitted)', 'SETGID, SETUID'],
    ['error: failed switching to "postgres": operation not permitted', 'SETGID, SETUID'],
    ['su-exec: setgroups(999): Operation not permitted', 'SETGID, SETUID'],
    ['chroot: cannot change root directory to /srv: Operation not permitted', 'SYS_CHROOT'],
  ])('names the capability of an operation: %s', (line, names) => {
    expect(hintOf(line)).toContain(`\`capabilities: [${names}]\` for web`)
  })

  it('offers the other way where a service changes its user', () => {
    expect(hintOf('su: setgid: Operation not permitted')).toContain('by `user:`')
    expect(hintOf('chown: /x: Operation not permitted')).not.toContain('by `user:`')
    expect(hintOf('mount: Operation not permitted')).toContain('such as `capabilities: [CHOWN]`')
  })

  it('tells whose a file is, and of a program that is not executable', () => {
    expect(hintOf("PermissionError: [Errno 13] Permission denied: '/data/db.sqlite'")).toMatch(
      /^\/data\/db\.sqlite is another user's: let web run as its owner by `user:`/,
    )
    expect(hintOf("Error: EACCES: permission denied, open '/data/x'")).toMatch(/^\/data\/x is another user's/)
    expect(hintOf('sh: /app/start.sh: Permission denied')).toContain('`RUN chmod +x /app/start.sh`')
  })

  it('tells of each kind of refusal on a line of its own, and once how to begin', () => {
    const hint = hintOf('open /run/x: read-only file system', 'chown: /tmp/x: Operation not permitted')
    expect(hint.split('\n')).toEqual([
      expect.stringContaining('writable'),
      expect.stringContaining('capabilities'),
      'Where there is no basalt.yaml yet, `basalt init` writes one.',
    ])
  })

  it.each([
    [],
    ['panic: boom', 'GET /healthz 500'],
    ['ERROR: permission denied for table users'],
    ['listen tcp :8080: bind: address already in use'],
  ])('says nothing of other failures: %s', (...lines) => {
    expect(rightsHint('web', lines)).toBeNull()
  })
})
