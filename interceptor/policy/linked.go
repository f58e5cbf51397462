package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// Linked returns the files of a program that declare services of the given packages and of the packages below, sorted
// by path. "shop" and "shop." name the package shop, shop.v1 and shop.order.v1. A file is linked if the program imports
// the file's generated Go package, also indirectly. Name only packages that this program serves: a service whose client
// is imported is linked too.
//
// It is a fault of [Compile] to give no package, or a package under which the program has no service.
func Linked(packages ...string) Files {
	var found Files
	if len(packages) == 0 {
		found = append(found, missing(`no package is given: name the packages of the services, such as "shop"`))
	}
	wanted := map[protoreflect.FullName]bool{} // whether a service was found
	for _, given := range packages {
		name := protoreflect.FullName(strings.TrimSuffix(given, "."))
		if !name.IsValid() {
			found = append(found, missing(fmt.Sprintf(`%q is not the name of a package, such as "shop" or "shop.v1"`, given)))
			continue
		}
		wanted[name] = false
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		within := false
		for name := file.Package(); name != "" && file.Services().Len() > 0; name = name.Parent() {
			if _, ok := wanted[name]; ok {
				wanted[name], within = true, true
			}
		}
		if within {
			found = append(found, file)
		}
		return true
	})
	for name, linked := range wanted {
		if !linked {
			found = append(found, missing(fmt.Sprintf("the program has no service of package %s or of a package below: import the generated Go package of the services, or correct the name", name)))
		}
	}
	slices.SortFunc(found, func(a, b protoreflect.FileDescriptor) int { return cmp.Compare(a.Path(), b.Path()) })
	return found
}

// An unlinked file stands for files that Linked did not find, so that Compile has the fault. It is a file without
// services.
type unlinked struct {
	protoreflect.FileDescriptor
	fault string
}

func missing(fault string) protoreflect.FileDescriptor {
	return unlinked{authzv1.File_protoauthz_v1_authz_proto, fault}
}

// Path sorts the faults of Linked by their texts, before all files.
func (u unlinked) Path() string { return " " + u.fault }

// linked returns the files without those that Linked did not find, which are faults.
func (c *compiler) linked(files Files) Files {
	return slices.DeleteFunc(slices.Clone(files), func(file protoreflect.FileDescriptor) bool {
		missing, ok := file.(unlinked)
		if ok {
			c.fault("Linked", "%s", missing.fault)
		}
		return ok
	})
}
