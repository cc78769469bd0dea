"""`make docs`."""

from deploy.site.build import build

if __name__ == "__main__":
    print(f"The site is at {build()}")
