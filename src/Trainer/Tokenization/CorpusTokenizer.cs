using System.Threading.Channels;
using Opt.Api.Protocol;
using Opt.Trainer.Data;

namespace Opt.Trainer.Tokenization;

/// <summary>Tokenises text files into a corpus: documents are encoded in parallel and written in order, each ended by the end-of-document id.</summary>
public sealed class CorpusTokenizer(Vocabulary vocabulary, int endOfDocument, DocumentBoundary boundary)
{
    /// <summary>How far tokenising has come.</summary>
    public readonly record struct Progress(long Documents, long Tokens, int FilesDone);

    public async Task<CorpusMetadata> RunAsync(IReadOnlyList<string> inputs, string output, IProgress<Progress>? progress, CancellationToken ct)
    {
        foreach (var missing in inputs.Where(f => !File.Exists(f))) throw new TrainerException(WorkerExit.Data, $"input file {missing} does not exist");
        using var writer = new CorpusWriter(output);
        var tokenizers = new ThreadLocal<BpeTokenizer>(() => new(vocabulary));
        var pending = Channel.CreateBounded<Task<ushort[]>>(Math.Max(2, 4 * Environment.ProcessorCount));
        var filesDone = 0;
        var reading = Task.Run(async () =>
        {
            try
            {
                foreach (var file in inputs)
                {
                    foreach (var document in DocumentSource.Read(file, boundary)) await pending.Writer.WriteAsync(Task.Run(() => Encode(document, tokenizers.Value!), ct), ct);
                    filesDone++;
                }

                pending.Writer.Complete();
            }
            catch (Exception e)
            {
                pending.Writer.Complete(e);   // surfaces in the reader below
            }
        }, ct);
        await foreach (var document in pending.Reader.ReadAllAsync(ct))
        {
            writer.Append(await document);
            progress?.Report(new(writer.Documents, writer.Tokens, filesDone));
        }

        await reading;
        if (writer.Documents == 0) throw new TrainerException(WorkerExit.Data, "the input files hold no text");
        return writer.Finish(vocabulary.Digest, vocabulary.Size, endOfDocument);
    }

    private ushort[] Encode(string text, BpeTokenizer tokenizer)
    {
        var ids = tokenizer.Encode(text);
        var document = new ushort[ids.Length + 1];
        for (var i = 0; i < ids.Length; i++) document[i] = (ushort)ids[i];
        document[^1] = (ushort)endOfDocument;
        return document;
    }
}
