import { describe, expect, it } from 'vitest'
import { debianSources } from './debian-sources.ts'

describe('debianSources', () => {
  it('finds the mirrors in lines, without those of others', () => {
    const text = [
      '# deb http://commented bookworm main',
      'deb http://deb.debian.org/debian bookworm main contrib # the archive',
      'deb [signed-by=/usr/share/keyrings/a.gpg] https://mirror.example/security bookworm-security main',
      'deb https://deb.nodesource.com/node_20.x nodistro main',
      'deb https://download.docker.com/linux/debian bookworm stable',
      'deb-src http://sources bookworm main',
      'deb cdrom:[Debian] bookworm main',
    ].join('\n')
    expect(debianSources(text)).toEqual(['http://deb.debian.org/debian', 'https://mirror.example/security'])
  })

  it('finds them in paragraphs', () => {
    const text = `Types: deb
URIs: http://deb.debian.org/debian http://other.example/debian
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: https://packages.example
Suites: any
Components: main
`
    expect(debianSources(text)).toEqual(['http://deb.debian.org/debian', 'http://other.example/debian'])
  })
})
