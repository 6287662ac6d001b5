import { describe, expect, it } from 'vitest'
import type { GroupId } from '../../../core/ids.ts'
import { createGroupTurns } from './group-turns.ts'

const web = 'web-0' as GroupId
const never = new AbortController().signal

describe('createGroupTurns', () => {
  it('runs starts of a group one after the other', async () => {
    const turns = createGroupTurns()
    const order: string[] = []
    const work = (name: string) => async () => {
      order.push(`${name} begins`)
      await new Promise((resolve) => setTimeout(resolve, 5))
      order.push(`${name} ends`)
    }
    await Promise.all([turns.start(web, never, work('one')), turns.start(web, never, work('two'))])
    expect(order).toEqual(['one begins', 'one ends', 'two begins', 'two ends'])
  })

  it('ends a start that is under way when the group is to stop', async () => {
    const turns = createGroupTurns()
    const started = turns
      .start(
        web,
        never,
        (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
      )
      .then(() => 'ended')
    await Promise.resolve()
    let stopped = false
    await turns.stop(web, async () => {
      stopped = true
    })
    expect(await started).toBe('ended')
    expect(stopped).toBe(true)
  })
})
