import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { BasaltError } from '../../../errors.ts'
import { writeFileAtomic } from '../../../util/atomic-write.ts'
import { runFolder } from './host-lock.ts'

const kernelFolder = '/proc/sys/net/ipv4'
const forwardingFile = join(kernelFolder, 'ip_forward')
/** Gone after a reboot, as what it tells of. */
const recordFile = join(runFolder, 'kept-apart.json')
const recordSchema = z.array(z.string())

/**
 * The host's interfaces that must not reach each other through it: all that did not forward when a Basalt turned
 * forwarding on for its instances. Interfaces that came later (Docker's, a VPN's) may have been made by somebody who
 * found it on and relies on it. Only under the host lock.
 */
export async function interfacesToKeepApart(): Promise<readonly string[]> {
  if (await isForwardingOn()) return await readRecord()
  const apart = []
  // A name that nftables could misread is left out.
  for (const name of (await otherInterfaces()).filter((other) => /^[\w.:@-]+$/.test(other)))
    if (!(await forwards(join(kernelFolder, 'conf', name, 'forwarding')))) apart.push(name)
  await writeFileAtomic(recordFile, JSON.stringify(apart))
  return apart
}

export const isForwardingOn = (): Promise<boolean> => forwards(forwardingFile)

/** Without it no instance reaches the world. */
export const turnForwardingOn = (): Promise<void> => writeFile(forwardingFile, '1')

/**
 * For when no home is left: off again, if a Basalt turned it on and no interface has come since whose maker may rely
 * on it. Only under the host lock.
 */
export async function turnForwardingOffAgain(): Promise<void> {
  const apart = await readRecord()
  if (apart.length === 0 || (await otherInterfaces()).some((name) => !apart.includes(name))) return
  await writeFile(forwardingFile, '0')
  await rm(recordFile, { force: true })
}

export const forwardingLost = (): BasaltError =>
  new BasaltError('network.forwarding-lost', {
    message:
      'another program turned IP forwarding off (net.ipv4.ip_forward); it is on again for instances, while the host’s other interfaces are kept apart',
    remedy: 'Let that program leave it on: `sysctl --system` reads /etc/sysctl.conf and /etc/sysctl.d.',
  })

/** An interface that went away meanwhile counts as one that does. */
const forwards = async (file: string): Promise<boolean> =>
  (await readFile(file, 'utf8').catch(() => '1')).trim() === '1'

/** Those of homes, their bridges and the ends of their namespaces, are not among them. */
async function otherInterfaces(): Promise<readonly string[]> {
  const names = await readdir(join(kernelFolder, 'conf'))
  return names.filter((name) => !/^(?:all|default|lo|basalt-.*|bs[0-9a-f]{6}-\d+)$/.test(name))
}

async function readRecord(): Promise<readonly string[]> {
  const text = await readFile(recordFile, 'utf8').catch(() => '[]')
  return recordSchema.parse(JSON.parse(text))
}
