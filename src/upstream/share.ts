import { failure } from '../call/failure.ts'

/** Says that another gateway has answered a call that was shared with it: the reply is in the store. */
export const lookAgain = failure('cancelled', 'another gateway has the reply')
