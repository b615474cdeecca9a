//go:build tools

// Package tools keeps the command that scripts/setup builds in go.mod.
package tools

import _ "github.com/docker/compose/v5/cmd"
