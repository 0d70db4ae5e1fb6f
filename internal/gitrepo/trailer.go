package gitrepo

import (
	"strings"

	"github.com/fairway-dev/fairway/internal/change"
)

// gitSpace is what git takes for white space, whatever the locale.
const gitSpace = " \t\r\n"

// parseTrailers reads the trailers of a commit message as "git interpret-trailers --parse
// --no-divider" does: they are the last paragraph, if it is not the first, and if either every line
// of it is a trailer, or one is of git's own making and at least a quarter are. A line that begins
// with white space goes on with the one before; "#" begins a comment.
func parseTrailers(message string) []change.Trailer {
	lines := strings.SplitAfter(message, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	lines = lines[:endOfLog(lines)]
	var trailers []change.Trailer
	open := false // the line before can be gone on with
	for _, line := range lines[startOfTrailers(lines):] {
		if open && startsWithSpace(line) {
			trailers[len(trailers)-1].Value += line
			continue
		}
		at := separator(line)
		open = at >= 1
		if open {
			trailers = append(trailers, change.Trailer{Key: strings.Trim(line[:at], gitSpace), Value: line[at+1:]})
		}
	}
	for i := range trailers {
		trailers[i].Value = unfold(trailers[i].Value)
	}
	return trailers
}

// unfold makes one line of a value that goes on over several.
func unfold(value string) string {
	parts := strings.Split(value, "\n")
	for i := range parts[1:] {
		parts[i+1] = strings.TrimLeft(parts[i+1], gitSpace)
	}
	return strings.Trim(strings.Join(parts, " "), gitSpace)
}

// endOfLog is the number of lines before a trailing run of comments, blank lines and the block of
// conflicted paths that old versions of git left behind.
func endOfLog(lines []string) int {
	end, inRun, inConflicts := len(lines), false, false
	for i, line := range lines {
		switch {
		case line == "# ------------------------ >8 ------------------------\n":
			if !inRun {
				end = i
			}
			return end
		case line[0] == '#' || line == "\n":
		case line == "Conflicts:\n":
			inConflicts = true
		case inConflicts && line[0] == '\t':
		default:
			inRun, inConflicts, end = false, false, len(lines)
			continue
		}
		if !inRun {
			inRun, end = true, i
		}
	}
	return end
}

// startOfTrailers is the index of the first line of the block of trailers; len(lines) where there
// is none.
func startOfTrailers(lines []string) int {
	title := 0 // the first paragraph is the title, never trailers
	for title < len(lines) && (lines[title][0] == '#' || !blank(lines[title])) {
		title++
	}
	var trailers, others, maybe int // maybe: lines that could go on with a trailer above them
	gits, only := false, true
	for i := len(lines) - 1; i >= title; i-- {
		line := lines[i]
		switch {
		case line[0] == '#':
			others, maybe = others+maybe, 0
			continue
		case blank(line):
			if only {
				continue
			}
			others += maybe
			if (gits && trailers*3 >= others) || (trailers > 0 && others == 0) {
				return i + 1
			}
			return len(lines)
		}
		only = false
		switch {
		case strings.HasPrefix(line, "Signed-off-by: ") || strings.HasPrefix(line, "(cherry picked from commit "):
			trailers, maybe, gits = trailers+1, 0, true
		case separator(line) >= 1 && !startsWithSpace(line):
			trailers, maybe = trailers+1, 0
		case startsWithSpace(line):
			maybe++
		default:
			others, maybe = others+1+maybe, 0
		}
	}
	return len(lines)
}

// separator is where the colon after a trailer's key stands; -1 where a line begins with no key.
func separator(line string) int {
	gap := false
	for i := range len(line) {
		c := line[i]
		switch {
		case c == ':':
			return i
		case !gap && (c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'):
		case i > 0 && (c == ' ' || c == '\t'):
			gap = true
		default:
			return -1
		}
	}
	return -1
}

func startsWithSpace(line string) bool { return strings.IndexByte(gitSpace, line[0]) >= 0 }
func blank(line string) bool           { return strings.Trim(line, gitSpace) == "" }
