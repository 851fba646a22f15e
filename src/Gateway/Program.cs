return args is ["check", .. var rest] ? await Gateway.Check.CheckCommand.RunAsync(rest) : await Gateway.Hosting.GatewayApplication.RunAsync(args);
