package token

import (
	"strings"
	"time"
)

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// A date is a NumericDate (RFC 7519 section 2), exactly: a float64 would round away what is
// less than a microsecond.
type date struct {
	seconds, nanoseconds int64
	rest                 bool // it is later than that, by less than a nanosecond
}

// floor is the second in which the date is.
func (d date) floor() time.Time { return time.Unix(d.seconds, 0) }

// ceil is the first second that is not before the date.
func (d date) ceil() time.Time {
	if d.nanoseconds > 0 || d.rest {
		return time.Unix(d.seconds+1, 0)
	}
	return time.Unix(d.seconds, 0)
}

// exceeds reports whether the date is later than another by more than a duration.
func (d date) exceeds(other date, by time.Duration) bool {
	apart := time.Unix(d.seconds, d.nanoseconds).Sub(time.Unix(other.seconds, other.nanoseconds))
	return apart > by || apart == by && d.rest
}

// date returns a NumericDate, and whether it is there.
func (p *payload) date(name string) (d date, ok bool, err error) {
	raw, ok := p.Get(name)
	if !ok {
		return date{}, false, nil
	}
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return date{}, true, invalid("%s is not a number", name)
	}
	if d, ok = parseDate(raw); !ok {
		return date{}, true, invalid("%s is out of range", name)
	}
	return d, true, nil
}

// parseDate reads a JSON number, which has to be one from 0 to maxDate.
func parseDate(number string) (d date, ok bool) {
	number, exponent := cutExponent(number)
	number, negative := strings.CutPrefix(number, "-")
	if strings.Trim(number, "0.") == "" {
		return date{}, true
	}
	integer, fraction, _ := strings.Cut(number, ".")
	if negative || !d.add(integer, len(integer)+exponent) || !d.add(fraction, exponent) {
		return date{}, false
	}
	for places := exponent - len(fraction); places > 0 && d.seconds <= maxDate; places-- {
		d.seconds *= 10
	}
	return d, d.seconds < maxDate || d == date{seconds: maxDate}
}

// add adds digits of which a number stand before the point, or below zero, are behind it by as many.
func (d *date) add(digits string, before int) bool {
	const places = 9 // of nanoseconds
	for n := 0; n < len(digits) && !d.rest; n++ {
		digit := int64(digits[n] - '0')
		switch place := before - n; {
		case place > 0:
			if d.seconds = 10*d.seconds + digit; d.seconds > maxDate {
				return false
			}
		case place > -places:
			for range places - 1 + place {
				digit *= 10
			}
			d.nanoseconds += digit
		case digit > 0:
			d.rest = true
		}
	}
	return true
}

// cutExponent returns a number without its exponent. One that is too large for any text to
// make up for is cut short.
func cutExponent(number string) (mantissa string, exponent int) {
	n := max(strings.IndexByte(number, 'e'), strings.IndexByte(number, 'E'))
	if n < 0 {
		return number, 0
	}
	const large = 1 << 26
	digits := strings.TrimLeft(number[n+1:], "+-")
	for _, digit := range []byte(digits) {
		if exponent < large {
			exponent = 10*exponent + int(digit-'0')
		}
	}
	if number[n+1] == '-' {
		exponent = -exponent
	}
	return number[:n], exponent
}
