//go:build !(linux && (amd64 || arm64))

package sys

var _ = unp_needs_linux_on_amd64_or_arm64
