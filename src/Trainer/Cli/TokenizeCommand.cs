using System.CommandLine;
using System.Globalization;
using Opt.Api.Protocol;
using Opt.Trainer.Tokenization;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer tokenize</c>: text files to a corpus.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        var vocabulary = new Option<FileInfo>("--vocab") { Description = "encoder.json of GPT-2, or gpt2-vocab.json of OPT", Required = true };
        var merges = new Option<FileInfo>("--merges") { Description = "vocab.bpe of GPT-2, or gpt2-merges.txt of OPT", Required = true };
        var input = new Option<string[]>("--input") { Description = "Text files; *.jsonl is read by line, member \"text\"", Required = true, AllowMultipleArgumentsPerToken = true };
        var output = new Option<string>("--output") { Description = "Corpus to write: NAME.bin, NAME.idx, NAME.json", Required = true };
        var eod = new Option<string?>("--eod") { Description = "End-of-document token; default </s> if the vocabulary has it, else <|endoftext|>" };
        var documents = new Option<DocumentBoundary>("--documents") { Description = "How files are cut into documents: auto, file, blankLines, jsonl", DefaultValueFactory = _ => DocumentBoundary.Auto };
        var command = new Command("tokenize", "Tokenise text with GPT-2 byte-pair encoding") { vocabulary, merges, input, output, eod, documents };
        command.SetAction((r, ct) => RunAsync(r.GetValue(vocabulary)!, r.GetValue(merges)!, r.GetValue(input)!, r.GetValue(output)!, r.GetValue(eod), r.GetValue(documents), ct));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo vocabularyFile, FileInfo mergesFile, string[] inputs, string output, string? eod, DocumentBoundary boundary, CancellationToken ct)
    {
        var vocabulary = Vocabulary.Load(vocabularyFile.FullName, mergesFile.FullName);
        var token = eod ?? (vocabulary.Find("</s>") is null ? "<|endoftext|>" : "</s>");
        var id = vocabulary.Find(token) ?? throw new TrainerException(WorkerExit.Data, $"--eod: \"{token}\" is not in {vocabularyFile.Name}");
        var progress = Console.IsErrorRedirected ? null : new ProgressLine(inputs.Length);
        var metadata = await new CorpusTokenizer(vocabulary, id, boundary).RunAsync(inputs, output, progress, ct);
        if (progress is not null) ProgressLine.Clear();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{output}: {metadata.Tokens:N0} tokens in {metadata.Documents:N0} documents, vocabulary {metadata.VocabularyDigest[..12]}, end of document {token} ({id})"));
        return 0;
    }

    private sealed class ProgressLine(int files) : IProgress<CorpusTokenizer.Progress>
    {
        private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(200);
        private long _last;

        public void Report(CorpusTokenizer.Progress value)
        {
            if (TimeProvider.System.GetElapsedTime(_last) < Between) return;
            _last = TimeProvider.System.GetTimestamp();
            Console.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{value.Tokens:N0} tokens, {value.Documents:N0} documents, {value.FilesDone}/{files} files "));
        }

        public static void Clear() => Console.Error.Write("\r" + new string(' ', 79) + "\r");
    }
}
