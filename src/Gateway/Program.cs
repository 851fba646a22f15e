return await Gateway.Hosting.GatewayApplication.RunAsync(args);
