import { existsSync, statSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { currentBootId } from '../../../util/process-identity.ts'
import { type RuntimeChoice, unifiedHierarchy } from './oci-runtime.ts'

const rememberedSchema = z.object({
  circumstances: z.string(),
  choice: z.object({
    candidate: z.object({ program: z.enum(['crun', 'runc']), hidesUnifiedHierarchy: z.boolean() }),
    version: z.string(),
    reason: z.string(),
  }),
})

/**
 * The choice that `choose` made before in the same circumstances, or makes now: a trial start takes longer than all
 * else that a server needs to have its instances again. Circumstances are the boot, the programs and the cgroup
 * layout. A failed choice is not remembered.
 */
export async function rememberChoice(
  file: string,
  choose: () => Promise<RuntimeChoice>,
): Promise<RuntimeChoice> {
  const circumstances = await describeCircumstances()
  const remembered = await readRemembered(file)
  if (remembered?.circumstances === circumstances) return remembered.choice
  const choice = await choose()
  await mkdir(dirname(file), { recursive: true, mode: 0o755 })
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, JSON.stringify({ circumstances, choice }), { mode: 0o600 })
  await rename(temporary, file)
  return choice
}

const readRemembered = (file: string) =>
  readFile(file, 'utf8').then(
    (text) => rememberedSchema.safeParse(parsed(text)).data,
    () => undefined,
  )

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function describeCircumstances(): Promise<string> {
  const programs = ['crun', 'runc'].map((program) => `${program} ${programIdentity(program)}`)
  const layout = existsSync(unifiedHierarchy) ? 'hybrid' : 'pure'
  return [await currentBootId(), ...programs, layout].join('; ')
}

/** Changes with every installation of the program. */
function programIdentity(program: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const stats = statSync(join(folder, program), { throwIfNoEntry: false })
    if (stats?.isFile()) return `${folder} ${stats.ino} ${stats.size} ${stats.mtimeMs}`
  }
  return 'absent'
}
