import { BasaltError } from '../../../errors.ts'

/** A mistake in a Dockerfile. @param file relative to the folder of basalt.yaml; `line` null: nowhere in particular */
export const dockerfileMistake = (
  file: string,
  line: number | null,
  fact: string,
  remedy = 'Correct it and build again: basalt build',
): BasaltError =>
  new BasaltError('build.dockerfile-invalid', {
    message: `${line === null ? file : `${file}:${line}`}: ${fact}`,
    remedy,
    details: { dockerfile: file, ...(line === null ? {} : { dockerfileLine: line }) },
  })
