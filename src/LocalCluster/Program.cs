using System.CommandLine;
using Opt.LocalCluster.Cli;
using Opt.LocalCluster.Cli.Run;

// Read first: three commands. `up` serves Cluster until stopped; `run` does and follows one job; `node` makes machines fail.
return await new RootCommand("A Kubernetes control plane for one machine; its pods are processes.") { UpCommand.Create(), RunCommand.Create(), NodeCommand.Create() }
    .Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
