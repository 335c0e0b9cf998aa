using System.CommandLine;
using Opt.Trainer.Agent;
using Opt.Trainer.Checkpoints.Commands;
using Opt.Trainer.Diagnostics;
using Opt.Trainer.Reports;

namespace Opt.Trainer.Cli;

/// <summary>The whole command line; each command lives under its own name.</summary>
internal static class Root
{
    public static RootCommand Create() => new("Trains OPT language models. Part of opt-operator.")
    {
        TrainCommand.Create(),
        WorkerCommand.Create(),
        AgentCommand.Create(),
        TokenizeCommand.Create(),
        StageCommand.Create(),
        ModelCommands.Init(),
        ModelCommands.Export(),
        ModelCommands.Import(),
        EvaluateCommand.Create(),
        CheckpointsCommand.Create(),
        PlanCommand.Create(),
        DiagnoseCommand.Create(),
        ReportCommands.Logbook(),
        ReportCommands.Plot(),
    };
}
