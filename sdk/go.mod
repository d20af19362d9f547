module github.com/voltage-edge/voltage/sdk

go 1.26.0
