import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { debianMirrors } from './debian-mirrors.ts'

describe('debianMirrors', () => {
  let aptFolder: string
  beforeEach(() => {
    aptFolder = mkdtempSync(join(tmpdir(), 'basalt-apt-'))
    mkdirSync(join(aptFolder, 'sources.list.d'))
  })
  afterEach(() => rmSync(aptFolder, { recursive: true }))
  const mirrors = (mirror?: string, securityMirror?: string) =>
    debianMirrors({ mirror, securityMirror, aptFolder })
  const put = (name: string, text: string) => writeFileSync(join(aptFolder, name), text)

  it('reads both formats of apt, and leaves out what is not a source of Debian packages', async () => {
    put(
      'sources.list',
      [
        '# deb http://commented.example/debian bookworm main',
        'deb [arch=amd64 signed-by=/x/other.gpg] https://other.example/apt bookworm main',
        'deb-src http://source.example/debian bookworm main',
        'deb   http://one.example/debian/  trixie  main contrib # remark',
        'deb http://one.example/debian trixie-updates main',
        'deb cdrom:[Debian]/ bookworm main',
        'deb http://docker.example/linux/debian bookworm stable',
        'deb http://pgdg.example/apt bookworm-pgdg main',
      ].join('\n'),
    )
    put(
      'sources.list.d/debian.sources',
      `Types: deb deb-src
URIs: http://two.example/debian
  http://three.example/debian
Suites: bookworm bookworm-updates
# a remark
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Check-Valid-Until: no

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`,
    )
    put('sources.list.d/off.list.disabled', 'deb http://disabled.example/debian bookworm main')
    expect(await mirrors()).toEqual({
      archive: [
        'http://two.example/debian',
        'http://three.example/debian',
        'http://one.example/debian',
        'https://other.example/apt',
      ].map((url) => ({ url, checkValidUntil: true })),
      security: [{ url: 'http://security.example/debian-security', checkValidUntil: false }],
    })
  })

  it('takes settings instead', async () => {
    const url = (text: string) => ({ url: text, checkValidUntil: true })
    expect(await mirrors('http://a.example/debian/')).toEqual({
      archive: [url('http://a.example/debian')],
      security: [url('http://a.example/debian-security')],
    })
    expect(await mirrors('http://a.example/x', 'http://b.example/y')).toMatchObject({
      security: [url('http://b.example/y')],
    })
    expect(await mirrors('http://a.example/x', '')).toMatchObject({ security: [] })
  })

  it('says what to do where apt has no mirror', async () => {
    rmSync(join(aptFolder, 'sources.list.d'), { recursive: true })
    await expect(mirrors()).rejects.toMatchObject({
      code: 'build.failed',
      remedy: expect.stringContaining('BASALT_DEBIAN_MIRROR'),
    })
  })
})
