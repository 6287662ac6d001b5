import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue, groups } from '../catalogue.ts'
import { Place } from '../fixtures/basalt-process.ts'
import { wishOf } from './wish.ts'

describe('wishOf', () => {
  const wish = (line: string) => wishOf(line, catalogue, groups)
  const words = (line: string) => wish(line).words.map(({ value }) => value)

  it('knows commands and their groups', () => {
    expect(words('basalt ')).toEqual(expect.arrayContaining(['deploy', 'status', 'release', 'server']))
    expect(words('basalt ')).not.toContain('complete')
    expect(words('basalt release ')).toEqual(['export', 'import', 'push', 'pull'])
    expect(words('basalt -o json server ')).toContain('restart')
    expect(words('basalt nonsense ')).toEqual([])
  })

  it('knows the flags of a command', () => {
    expect(words('basalt deploy --')).toEqual(
      expect.arrayContaining(['--env', '--no-wait', '--output', '--help']),
    )
    expect(words('basalt audit verify -')).not.toContain('--env')
  })

  it('knows what a flag or an argument takes', () => {
    expect(wish('basalt deploy -e ')).toMatchObject({ things: 'environment', prefix: '' })
    expect(wish('basalt deploy --env=sta')).toMatchObject({ things: 'environment', prefix: '--env=' })
    expect(words('basalt status -o ')).toEqual(['table', 'json', 'yaml'])
    expect(words('basalt status --output=')).toEqual(['--output=table', '--output=json', '--output=yaml'])
    expect(wish('basalt diff shop@1 ').things).toBe('release')
    expect(wish('basalt diff shop@1 shop@2 ').things).toBeNull()
    expect(wish('basalt logs ').things).toBe('service')
    expect(wish('basalt releases ').things).toBe('system')
    expect(wish('basalt abort ').things).toBe('running-deployment')
    expect(wish('basalt deploy --env=shop/s')).toMatchObject({ prefix: '--env=', typed: 'shop/s' })
    expect(words('basalt help server ')).toContain('restart')
    expect(words('basalt help ')).toContain('deploy')
    expect(wish('basalt help deploy -')).toMatchObject({ words: [], things: null })
    expect(wish('basalt logs -f ').things).toBe('service')
    expect(wish('basalt build -f ').things).toBe('file')
    expect(words('basalt completion ')).toEqual(['bash', 'zsh', 'fish'])
    expect(wish('basalt deploy -e other/live ')).toMatchObject({
      things: 'release',
      environment: 'other/live',
    })
  })
})

describe('in a shell', () => {
  let place: Place

  beforeAll(async () => {
    place = new Place()
    await place.startServer()
  })

  afterAll(() => place.remove())

  const installed = (shell: string): boolean => spawnSync(shell, ['-c', ':']).error === undefined

  interface Shell {
    readonly command: (startFile: string) => string
    /** Loads completion, makes Ctrl-G print the line as it stands and Ctrl-D end the shell, then says READY. */
    readonly start: string
  }

  const shells: Readonly<Record<string, Shell>> = {
    bash: {
      command: (file) => `bash --noprofile --rcfile ${file} -i`,
      start: String.raw`bind 'set bell-style none'
source <(basalt completion bash)
show() { printf '\n<%s>\n' "$READLINE_LINE"; exit; }
bind -x '"\C-g": show'
PS1=READY`,
    },
    zsh: {
      command: (file) => `ZDOTDIR=${file}.d zsh -i`,
      start: String.raw`autoload -U compinit && compinit -u
source <(basalt completion zsh)
show() { printf '\n<%s>\n' "$BUFFER"; exit }
zle -N show
bindkey '^G' show
PS1=READY`,
    },
    fish: {
      command: (file) => `fish --no-config --interactive --init-command 'source ${file}'`,
      start: String.raw`basalt completion fish | source
function show; printf '\n<%s>\n' (commandline); exit; end
bind \cg show
function fish_prompt; echo READY; end
function fish_greeting; end`,
    },
  }

  /** Types a line into a real interactive shell, presses tab, and reads what the line has become. */
  async function completed(name: string, line: string): Promise<string> {
    const shell = shells[name]!
    const file = join(place.folder, `start-${name}`)
    mkdirSync(`${file}.d`, { recursive: true })
    for (const path of [file, join(`${file}.d`, '.zshrc')]) writeFileSync(path, shell.start)
    let typed = false
    const { stdout } = await place.runProgram('script', ['-qec', shell.command(file), '/dev/null'], {
      environment: { PATH: `${place.folder}:${process.env['PATH']}`, SHELL: '/bin/sh' },
      input: '',
      onOutput: (text, child) => {
        if (typed || !text.includes('READY')) return
        typed = true
        // A shell has dealt with one key before it reads the next.
        child.stdin?.write(`${line}\t\u0007`)
      },
    })
    return /<(.*)>/.exec(stdout)?.[1] ?? stdout
  }

  const lines: readonly [typed: string, completed: string][] = [
    ['basalt roll', 'basalt rollback '],
    ['basalt deploy --dry', 'basalt deploy --dry-run '],
    ['basalt deploy -e stag', 'basalt deploy -e staging '],
    ['basalt deploy --env=prod', 'basalt deploy --env=production '],
    ['basalt diff shop@1', 'basalt diff shop@1 '],
    ['basalt diff shop@1 shop@2', 'basalt diff shop@1 shop@2 '],
    ['basalt logs we', 'basalt logs web '],
    ['basalt server resta', 'basalt server restart '],
    ['basalt validate -f basalt.y', 'basalt validate -f basalt.yaml '],
  ]
  const few = [lines[2]!, lines[3]!, lines[5]!, lines[8]!]
  const cases = [
    ...lines.map((line) => ['bash', ...line] as const),
    ...['zsh', 'fish'].flatMap((name) => few.map((line) => [name, ...line] as const)),
  ]

  it.for(cases)('%s completes "%s"', async ([name, line, expected], ctx) => {
    if (!installed(name)) return ctx.skip(`${name} is not installed`)
    expect(await completed(name, line)).toBe(expected)
  })
})
