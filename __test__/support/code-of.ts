/** Returns the code of the error that `call` throws. */
export function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    return (error as { code: string }).code
  }
  throw new Error('it did not throw')
}

/** Returns the code of the error that `promise` rejects with. */
export async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as { code: string }).code
  }
  throw new Error('it did not reject')
}
