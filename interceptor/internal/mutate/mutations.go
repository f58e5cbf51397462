package main

import "slices"

// mutations are the checks, in the order of the files and of the code. Each is removed
// alone: where two checks stand behind one another, the change also takes what is left
// of the other, or else it could not be told from the original.
var mutations = slices.Concat(tokenMutations, cacheMutations, policyMutations, guardMutations, clientauthMutations)
