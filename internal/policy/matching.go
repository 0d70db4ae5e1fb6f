package policy

// match gives each place a person of its own, so that as many places as possible are filled: a
// maximum bipartite matching by augmenting paths. A place that is filled once stays filled, so
// earlier places go first. The answer is the person in each place, or -1.
func match(places, persons int, fits func(place, person int) bool) []int {
	m := matching{fits: fits, persons: persons, placeOf: make([]int, persons), personIn: make([]int, places)}
	for i := range m.placeOf {
		m.placeOf[i] = -1
	}
	for i := range m.personIn {
		m.personIn[i] = -1
	}
	for place := range places {
		m.fill(place, make([]bool, persons))
	}
	return m.personIn
}

type matching struct {
	fits     func(place, person int) bool
	persons  int
	placeOf  []int // of each person, or -1
	personIn []int // each place, or -1
}

// fill finds a person for the place, moving others where that helps. Asked are the persons that
// this search has tried already.
func (m *matching) fill(place int, asked []bool) bool {
	for person := range m.persons {
		if asked[person] || !m.fits(place, person) {
			continue
		}
		asked[person] = true
		if at := m.placeOf[person]; at < 0 || m.fill(at, asked) {
			m.placeOf[person], m.personIn[place] = place, person
			return true
		}
	}
	return false
}
