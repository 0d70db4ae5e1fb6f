package policy

// Code is a stable reason code. A code's meaning never changes.
type Code string
